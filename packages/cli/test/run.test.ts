import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { wat } from "../../wasm/test/support/wat.ts";
import { ENTRY, folderWith, keelson, scriptCommand, start, type Ended } from "./program.ts";

/** A child that says that it is there, answers nothing, and ends with its standard input. */
const CHILD = `
  import process from "node:process";
  console.log(JSON.stringify({ event_id: "1", source: "module", timestamp_ms: 0, module: "c", event_type: "ready", payload: process.pid }));
  process.stdin.resume();
`;

const [command, args] = scriptCommand("child.mjs");
const WITH_CHILD = {
  "child.mjs": CHILD,
  "keelson.config.json": JSON.stringify({ modules: [{ id: "child", command, args }] }),
};

function config(modules: string): Readonly<Record<string, string>> {
  return {
    "keelson.config.ts": `import process from "node:process";\nimport { defineConfig, nativeModule } from "${ENTRY}";\nexport default defineConfig({ modules: [${modules}] });\n`,
  };
}

const GREETER = `nativeModule({ id: "greeter", version: "1.0.0", methods: { hello: () => "hello" } })`;

/** The lines of `--json`, all of which must be objects with a type. */
function linesOf({ stdout }: Ended): { type: string; [key: string]: unknown }[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string });
}

test("run --once starts, asks for health, reports, shuts down and exits with 0", async () => {
  const { code, stdout, stderr } = await keelson(
    ["run", "keelson.config.ts", "--once"],
    folderWith(config(GREETER)),
  );
  expect(stderr).toBe("");
  expect(stdout).toContain("module.started id=greeter");
  expect(stdout).toContain("greeter healthy");
  expect(stdout).toMatch(/greeter +native +1\.0\.0 +running/);
  expect(stdout).toContain("shut down: 1 stopped, 0 orphans, 0 errors");
  expect(code).toBe(0);
});

test("run takes a plugin in place of a configuration: its folder, its manifest, or a .wasm file", async () => {
  const manifest = { apiVersion: "keelson/v1", id: "alone", version: "1.2.3", kind: "wasm", entry: "x.wasm" };
  const folder = folderWith({
    "manifest.json": JSON.stringify(manifest),
    "x.wasm": wat(`(module (func (export "run") (result i32) i32.const 42))`),
  });
  for (const [path, id] of [
    [folder, "alone"],
    [join(folder, "manifest.json"), "alone"],
    [join(folder, "x.wasm"), "x"],
  ] as const) {
    const { code, stdout, stderr } = await keelson(["run", path, "--once"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`${id} healthy`);
  }
});

test("run --once exits with 1 when a module does not start, and starts the others", async () => {
  const modules = `${GREETER}, nativeModule({ id: "sick", start() { throw new Error("no engine"); } })`;
  const { code, stdout, stderr } = await keelson(
    ["run", "keelson.config.ts", "--once"],
    folderWith(config(modules)),
  );
  expect(stderr).toContain("MODULE_FAILED");
  expect(stderr).toContain("no engine");
  expect(stdout).toContain("greeter healthy");
  expect(stdout).toContain("sick not healthy");
  expect(code).toBe(1);
});

// (module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
const ADDER = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 3, 2, 1, 0],
  ...[7, 7, 1, 3, 0x61, 0x64, 0x64, 0, 0, 10, 9, 1, 7, 0, 0x20, 0, 0x20, 1, 0x6a, 0x0b],
);

test("run gives each wasm plugin the isolation that is asked for, and refuses it for others", async () => {
  // Only a guest in the host's own thread answers at once.
  const spy = (id: string): string =>
    `nativeModule({ id: "spy-${id}", health(call) { try { return { healthy: true, message: String(call.invokeSync("${id}", "add", [2, 3])) }; } catch ({ code }) { return { healthy: true, message: code }; } } })`;
  const plugins = `["./adder.wasm", { path: "./adder.wasm", id: "away", isolation: "worker" }, { path: "./native", isolation: "process" }]`;
  const folder = folderWith({
    "adder.wasm": ADDER,
    "keelson.config.ts": `import { defineConfig, nativeModule } from "${ENTRY}";\nexport default defineConfig({ plugins: ${plugins}, modules: [${spy("adder")}, ${spy("away")}] });\n`,
  });
  mkdirSync(join(folder, "native"));
  writeFileSync(
    join(folder, "native", "manifest.json"),
    JSON.stringify({
      apiVersion: "keelson/v1",
      id: "plain",
      name: "Plain",
      version: "1.0.0",
      kind: "native",
      entry: "plain.js",
    }),
  );
  writeFileSync(join(folder, "native", "plain.js"), "export default {};\n");
  const ended = await keelson(["run", "keelson.config.ts", "--once", "--json"], folder);
  const lines = linesOf(ended);
  const health = (id: string): unknown => lines.find((line) => line.type === "health" && line["id"] === id);
  expect(health("spy-adder")).toMatchObject({ healthy: true, message: "5" });
  expect(health("spy-away")).toMatchObject({ healthy: true, message: "WOULD_BLOCK" });
  expect(health("away")).toMatchObject({ healthy: true });
  expect(lines).toContainEqual(expect.objectContaining({ type: "error", code: "INVALID_OPTIONS" }));
  expect(health("plain")).toBeUndefined();
  expect(ended.code).toBe(1);
});

test("run --once exits with 1 when a module says that it is not healthy", async () => {
  const modules = `nativeModule({ id: "tired", health: () => ({ healthy: false, message: "needs sleep" }) })`;
  const { code, stdout } = await keelson(["run", "keelson.config.ts", "--once"], folderWith(config(modules)));
  expect(stdout).toContain("tired not healthy: needs sleep");
  expect(code).toBe(1);
});

test("run --once --json prints objects alone: events, health, status and the report, errors among them", async () => {
  const modules = `${GREETER}, nativeModule({ id: "sick", start() { throw new Error("no engine"); } })`;
  const ended = await keelson(["run", "keelson.config.ts", "--once", "--json"], folderWith(config(modules)));
  const lines = linesOf(ended);
  expect(lines).toContainEqual(expect.objectContaining({ type: "event", topic: "module.started" }));
  expect(lines).toContainEqual({ type: "health", id: "greeter", healthy: true });
  expect(lines).toContainEqual(expect.objectContaining({ type: "error", code: "MODULE_FAILED" }));
  const status = lines.find(({ type }) => type === "status");
  expect(status?.["modules"]).toEqual([
    {
      id: "greeter",
      version: "1.0.0",
      kind: "native",
      state: "running",
      generation: 1,
      in_flight: 0,
      restarts: 0,
    },
    expect.objectContaining({
      id: "sick",
      state: "failed",
      error: expect.objectContaining({ code: "MODULE_FAILED" }),
    }),
  ]);
  expect(lines.at(-1)).toEqual({
    type: "report",
    terminated: expect.arrayContaining(["greeter"]),
    orphans: [],
    errors: [],
  });
  expect(ended.code).toBe(1);
});

test("run takes a child process from a JSON configuration, relative to its folder", async () => {
  const folder = folderWith(WITH_CHILD);
  const ended = await keelson(["run", `${folder}/keelson.config.json`, "--once", "--json"]);
  expect(linesOf(ended).at(-1)).toEqual({ type: "report", terminated: ["child"], orphans: [], errors: [] });
  expect(ended.code).toBe(0);
});

test("run exits with 1 and names the plugin when a path leads nowhere, and when nothing runs", async () => {
  const folder = folderWith({ "keelson.config.json": `{ "plugins": ["./absent.wasm"] }` });
  const { code, stderr } = await keelson(["run", "keelson.config.json"], folder);
  expect(stderr).toContain("absent.wasm");
  expect(code).toBe(1);
});

test("a configuration that throws, exports nothing or is not JSON is INVALID_OPTIONS", async () => {
  const folder = folderWith({
    "throws.ts": `throw new Error("by itself");`,
    "empty.ts": "export {};",
    "broken.json": "{ plugins: [] }",
    "lacks.ts": `import { gone } from "./gone.ts";\nexport default gone;`,
    "knows.ts": `import { KeelsonError } from "${ENTRY}";\nthrow new KeelsonError("QUOTA_EXCEEDED", "as it was");`,
  });
  const own = await keelson(["run", "knows.ts"], folder);
  expect([own.code, own.stderr]).toEqual([1, expect.stringMatching(/^QUOTA_EXCEEDED: as it was$/m)]);
  for (const file of ["throws.ts", "empty.ts", "broken.json", "lacks.ts"]) {
    // Deno colours where an import failed, unless NO_COLOR is set.
    const { code, stderr } = await keelson(["run", file], folder, { NO_COLOR: "" });
    expect(stderr).toMatch(/^INVALID_OPTIONS: /);
    expect(stderr).toContain("hint: ");
    expect(stderr).not.toMatch(/\u001b|u001b/);
    expect(code).toBe(1);
  }
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s shuts down once, prints the report and ends the children; exit code 0",
  async (signal) => {
    const program = start(["run", "keelson.config.json"], folderWith(WITH_CHILD));
    await program.said("module.started id=child");
    program.kill(signal);
    const { code, stdout } = await program.ended;
    expect(stdout).toContain(`${signal}: shutting down`);
    expect(stdout).toContain("shut down: 1 stopped, 0 orphans, 0 errors");
    expect(code).toBe(0);
  },
);

const STUBBORN = `nativeModule({ id: "stubborn", stop: () => new Promise(() => {}), deadlines: { stopMs: 600000 } })`;

test("a second SIGINT ends at once with exit code 130", async () => {
  const program = start(["run", "keelson.config.ts"], folderWith(config(STUBBORN)));
  await program.said("module.started id=stubborn");
  program.kill("SIGINT");
  await program.said("SIGINT: shutting down");
  program.kill("SIGINT");
  const { code, stdout } = await program.ended;
  expect(stdout).not.toContain("shut down:");
  expect(code).toBe(130);
});

test("a second SIGTERM changes nothing", async () => {
  const modules = `nativeModule({
    id: "slow",
    start() { let heard = 0; process.on("SIGTERM", () => console.log("heard", ++heard)); },
    stop: () => new Promise((resolve) => { process.once("SIGUSR2", resolve); console.log("waiting"); }),
  })`;
  const program = start(["run", "keelson.config.ts"], folderWith(config(modules)));
  await program.said("module.started id=slow");
  program.kill("SIGTERM");
  await program.said("waiting");
  program.kill("SIGTERM");
  // Not before it has come: two signals that wait may be delivered in any order.
  await program.said("heard 2");
  program.kill("SIGUSR2");
  const { code, stdout } = await program.ended;
  expect(stdout.match(/SIGTERM: shutting down/g)).toHaveLength(1);
  expect(stdout.match(/shut down:/g)).toHaveLength(1);
  expect(code).toBe(0);
});

test("a module that fails to stop is named in the report, and the exit code is 1", async () => {
  const folder = folderWith(
    config(`nativeModule({ id: "clinging", stop() { throw new Error("not yet"); } })`),
  );
  const program = start(["run", "keelson.config.ts"], folder);
  await program.said("module.started id=clinging");
  program.kill("SIGTERM");
  const { code, stdout } = await program.ended;
  expect(stdout).toMatch(/shut down: \d stopped, 0 orphans, 1 error\n {2}MODULE_FAILED clinging: .*not yet/);
  expect(code).toBe(1);
  const once = await keelson(["run", "keelson.config.ts", "--once", "--json"], folder);
  expect(linesOf(once).at(-1)).toMatchObject({
    type: "report",
    errors: [{ id: "clinging", code: "MODULE_FAILED", message: expect.stringContaining("not yet") }],
  });
  expect(once.code).toBe(1);
});

test("a signal while modules start is no failure of theirs", async () => {
  const modules = `nativeModule({ id: "slow", start: () => new Promise(() => { console.log("begun"); }) })`;
  const program = start(["run", "keelson.config.ts"], folderWith(config(modules)));
  await program.said("begun");
  program.kill("SIGTERM");
  const { code, stdout, stderr } = await program.ended;
  expect(stderr).toBe("");
  expect(stdout).toContain("shut down: ");
  expect(code).toBe(0);
});

test("run waits for a module that its supervisor is about to start again, though nothing runs meanwhile", async () => {
  const modules = `...(() => {
    const crashed = Promise.withResolvers();
    let starts = 0;
    const start = (context) => {
      if (++starts > 1) return;
      setTimeout(() => {
        context.exited({ code: 1 });
        crashed.resolve();
      });
    };
    const failing = async () => {
      await crashed.promise;
      throw new Error("not today");
    };
    return [
      nativeModule({ id: "back", start, restart: { policy: "on-failure", backoff: { initialMs: 300 } } }),
      nativeModule({ id: "failing", start: failing }),
    ];
  })()`;
  const program = start(["run", "keelson.config.ts"], folderWith(config(modules)));
  await program.said("module.started id=back generation=2");
  program.kill("SIGTERM");
  const { code, stdout, stderr } = await program.ended;
  expect(stderr).toContain("not today");
  expect(stdout).not.toContain("Nothing runs.");
  expect(code).toBe(0);
});

test("run says so when a configuration names nothing", async () => {
  const { code, stdout } = await keelson(["run", "x.json", "--once"], folderWith({ "x.json": "{}" }));
  expect(stdout).toContain("The configuration names no plugins and no modules.");
  expect(code).toBe(0);
});

test("what a module leaves behind does not keep the program alive, and is told", async () => {
  const modules = `nativeModule({ id: "litter", start() { setInterval(() => {}, 1000); } })`;
  const { code, stderr } = await keelson(["run", "keelson.config.ts", "--once"], folderWith(config(modules)));
  expect(stderr).toContain("keeps the program alive");
  expect(code).toBe(1);
});

test("--json tells of errors whose details are no JSON, and shuts down", async () => {
  const folder = folderWith({
    "keelson.config.mjs": `import { KeelsonError, nativeModule } from "${ENTRY}";
const circle = {};
circle.self = circle;
const failing = (id, details) => nativeModule({ id, start() { throw new KeelsonError("IO", id, { details }); } });
export default { modules: [failing("circle", circle), failing("big", { n: 1n }), nativeModule({ id: "fine" })] };`,
  });
  const { code, stdout, stderr } = await keelson(["run", "keelson.config.mjs", "--once", "--json"], folder);
  expect(stderr).toBe("");
  expect(code).toBe(1);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const errors = lines.filter(({ type }) => type === "error");
  expect(errors).toEqual([
    { type: "error", code: "IO", message: "circle" },
    { type: "error", code: "IO", message: "big", details: { n: "1" } },
  ]);
  expect(lines.at(-1)).toMatchObject({ type: "report", terminated: ["fine"] });
});

/** Says something, waits for the end of its input, then says much; `stopped` is there when it was stopped. */
const TALKER = `nativeModule({
  id: "talker",
  async start(context) {
    context.log.write("warn", "first");
    await new Promise((resolve) => void process.stdin.resume().once("end", resolve));
    for (let line = 0; line < 20; line++) {
      context.log.write("warn", "more of it");
      console.log("more of it");
      await new Promise((resolve) => void setTimeout(resolve, 1));
    }
  },
  stop: () => writeFileSync("stopped", ""),
})`;

test.each(["stdout", "stderr"] as const)("run goes on when nobody reads its %s any more", async (gone) => {
  const { "keelson.config.ts": text = "" } = config(TALKER);
  const folder = folderWith({
    "keelson.config.ts": `import { writeFileSync } from "node:fs";\n${text}`,
  });
  const program = start(["run", "--once", "keelson.config.ts"], folder);
  const kept = gone === "stdout" ? "stderr" : "stdout";
  await once(program.child[gone], "data");
  program.child[gone].destroy();
  program.child.stdin.end();
  const ended = await program.ended;
  expect(ended.code, ended[kept]).toBe(0);
  expect(ended[kept].split("more of it")).toHaveLength(21);
  expect(existsSync(join(folder, "stopped"))).toBe(true);
});

test("run tells what it can of a module whose health is not what it should be", async () => {
  const odd = `(() => {
    const details = {};
    details.self = details;
    return nativeModule({ id: "odd", health: () => ({ healthy: true, message: "well", details }) });
  })()`;
  const ended = await keelson(["run", "--once", "--json", "keelson.config.ts"], folderWith(config(odd)));
  const lines = linesOf(ended);
  expect(lines.find(({ type }) => type === "health")).toEqual({
    type: "health",
    id: "odd",
    healthy: true,
    message: "well",
  });
  expect(lines.at(-1)).toMatchObject({ type: "report", terminated: ["odd"] });
  expect(ended.code).toBe(0);
  const mute = `nativeModule({ id: "mute", health: () => ({ healthy: true, message: 7 as never }) })`;
  const { code, stdout } = await keelson(["run", "--once", "keelson.config.ts"], folderWith(config(mute)));
  expect(stdout).toContain("mute healthy: 7");
  expect(code).toBe(0);
});
