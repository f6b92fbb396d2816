// Commands that no process module should have, and children that behave badly while they run.
import { processModule, runOnce, type ErrorCode, type ProcessModuleOptions } from "@keelson/core";
import { unclonable } from "./wasm.ts";
import type { BadCase, Ground } from "./case.ts";

const READY = `echo '{"event_id":"1","source":"module","timestamp_ms":1,"module":"m","event_type":"ready","payload":null}'`;
const sh = (script: string): { command: string; args: string[] } => ({ command: "sh", args: ["-c", script] });

function start(options: Partial<ProcessModuleOptions>): (ground: Ground) => Promise<unknown> {
  return async ({ kernel }) => {
    await kernel.register(
      processModule({ id: "child", command: "true", graceMs: 50, restart: { policy: "never" }, ...options }),
    );
    return kernel.start("child");
  };
}

/** Starts a child that becomes ready, then calls it. */
function call(
  script: string,
  payload?: unknown,
  options: Partial<ProcessModuleOptions> = {},
): (ground: Ground) => Promise<unknown> {
  return async (ground) => {
    await start({ ...sh(script), ...options })(ground);
    return ground.kernel.invoke("child", "ask", payload as never, { timeoutMs: 500 });
  };
}

const starts: readonly [
  what: string,
  code: ErrorCode | readonly ErrorCode[],
  options: Partial<ProcessModuleOptions>,
][] = [
  ["that does not exist", "SPAWN_FAILED", { command: "/no/such/program" }],
  ["that is not in PATH", "SPAWN_FAILED", { command: "keelson-no-such-command" }],
  ["that is a folder", ["SPAWN_FAILED", "PERMISSION_DENIED"], { command: "/tmp" }],
  ["that may not be run", ["SPAWN_FAILED", "PERMISSION_DENIED"], { command: "/etc/passwd" }],
  [
    "in a folder that does not exist",
    ["SPAWN_FAILED", "NOT_FOUND"],
    { command: "true", cwd: new URL("file:///no/such/folder/") },
  ],
  ["with a NUL in an argument", "INVALID_OPTIONS", { command: "echo", args: ["a\0b"] }],
  ["with a NUL in a variable", "INVALID_OPTIONS", { command: "true", env: { A: "a\0b" } }],
  ["that exits at once", "EMPTY_OUTPUT", { command: "true" }],
  ["that fails at once", "PROCESS_EXITED", sh("echo 'no config' >&2; exit 3")],
  ["that dies by a signal", "PROCESS_EXITED", sh("kill -9 $$")],
  ["that prints garbage", "INVALID_JSON", sh("echo '\\033[31mhello'; exec sleep 1000")],
  [
    "that prints JSON which is no event",
    ["INVALID_SCHEMA", "MISSING_FIELD"],
    sh("echo '{}'; exec sleep 1000"),
  ],
  [
    "that prints an empty line",
    ["INVALID_JSON", "HANDSHAKE_TIMEOUT"],
    { ...sh("echo; exec sleep 1000"), handshakeMs: 200 },
  ],
  ["that prints bytes which are no UTF-8", "INVALID_UTF8", sh("printf '\\377\\376\\n'; exec sleep 1000")],
  ["that prints nothing", "HANDSHAKE_TIMEOUT", { ...sh("exec sleep 1000"), handshakeMs: 50 }],
  [
    "that prints 100 MB without a newline",
    "LINE_TOO_LONG",
    sh("head -c 100000000 /dev/zero | tr '\\0' x; exec sleep 1000"),
  ],
  [
    "that floods its standard error and prints nothing",
    "HANDSHAKE_TIMEOUT",
    { ...sh("yes >&2"), handshakeMs: 100 },
  ],
  ["that closes its output", "EMPTY_OUTPUT", sh("exec >&-; exec sleep 1000")],
  ["that leaves its output to a grandchild", ["PROCESS_EXITED", "EMPTY_OUTPUT"], sh("sleep 1000 & exit 4")],
  [
    "that leaves its output to a grandchild and ends well",
    ["PROCESS_EXITED", "EMPTY_OUTPUT"],
    sh("sleep 1000 & exit 0"),
  ],
  ["that stops itself", "HANDSHAKE_TIMEOUT", { ...sh("kill -STOP $$"), handshakeMs: 50 }],
  [
    "whose preSpawn throws undefined",
    "MODULE_FAILED",
    {
      command: "true",
      preSpawn: () => {
        throw undefined;
      },
    },
  ],
  [
    "whose preSpawn never settles",
    "START_TIMEOUT",
    { command: "true", preSpawn: () => new Promise(() => {}), deadlines: { startMs: 50 } },
  ],
  ["whose preSpawn gives a number", "INVALID_OPTIONS", { command: "true", preSpawn: () => 7 as never }],
];

export const commandCases: readonly BadCase[] = [
  ...starts.map(([what, code, options]): BadCase => ({
    title: `a command ${what}`,
    code,
    run: start(options),
  })),
  { title: "a command that is no text", code: "INVALID_OPTIONS", run: start({ command: 7 as never }) },
  { title: "an empty command", code: "INVALID_OPTIONS", run: start({ command: "" }) },
  {
    title: "a handshake time that is no time",
    code: "INVALID_OPTIONS",
    run: start({ handshakeMs: Number.NaN }),
  },
  {
    title: "a one-shot run of a command that prints nothing",
    code: "HANDSHAKE_TIMEOUT",
    run: ({ kernel }) => runOnce(kernel.platform, { ...sh("exec sleep 1000"), timeoutMs: 50, graceMs: 0 }),
  },
  {
    title: "a one-shot run of a command that does not exist",
    code: "SPAWN_FAILED",
    run: ({ kernel }) => runOnce(kernel.platform, { command: "/no/such" }),
  },
  { title: "a child that never answers", code: "DEADLINE_EXCEEDED", run: call(`${READY}; exec sleep 1000`) },
  {
    title: "a child that closes its output while it lives",
    code: "IO",
    run: call(`${READY}; exec >&-; exec sleep 1000`),
  },
  {
    title: "a child that ends in the midst of a call",
    code: "PROCESS_EXITED",
    run: call(`${READY}; read line; exit 9`),
  },
  {
    title: "a child that ends well in the midst of a call",
    code: "PROCESS_EXITED",
    run: call(`${READY}; read line; exit 0`),
  },
  {
    title: "a child that answers with an error of no shape",
    code: "CALL_FAILED",
    run: call(`${READY}; read line; echo '{"reply_id":"1","error":7}'; cat >/dev/null`),
  },
  {
    title: "a child that answers with marks that hold nothing",
    code: "INVALID_PAYLOAD",
    run: call(`${READY}; read line; echo '{"reply_id":"1","result":{"$bytes":"%%"}}'; cat >/dev/null`),
  },
  {
    title: "a child that answers nested a hundred thousand deep",
    code: ["INVALID_PAYLOAD", "INVALID_JSON", "DEADLINE_EXCEEDED"],
    run: call(
      `${READY}; read line; printf '{"reply_id":"1","a":"$","result":'; head -c 100000 /dev/zero | tr '\\0' '['; printf '{"$bytes":""}'; head -c 100000 /dev/zero | tr '\\0' ']'; echo '}'; cat >/dev/null`,
    ),
  },
  {
    title: "a payload beyond what may wait for a child",
    code: "INVALID_PAYLOAD",
    run: call(`${READY}; exec sleep 1000`, "x".repeat(10_000), { maxQueuedBytes: 1000 }),
  },
  ...unclonable.map(([what, payload]): BadCase => ({
    title: `${what} for a child`,
    code: "INVALID_PAYLOAD",
    run: call(`${READY}; exec cat`, payload),
  })),
];
