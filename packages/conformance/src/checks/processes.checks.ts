import { isKeelsonError } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, type Check } from "../check.ts";
import { childCommand } from "../program.ts";
import {
  ensureEndedToo,
  ensureGone,
  firstLine,
  lives,
  processesOf,
  readAll,
  startChild,
} from "./child-setup.ts";

const requires = ["processes", "child"] as const;
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Variables that may reach a child without having been given: the platform's marks, and what systems cannot do without. */
const INHERITED = /^(PATH|HOME|KEELSON_\w+|SYSTEMROOT|USERPROFILE|TEMP|__CF_\w+)$/i;

/** Checks of a platform's processes. */
export const processesChecks: readonly Check[] = [
  {
    id: "processes.spawn-fails",
    title: "a command that cannot be started is SPAWN_FAILED, not a process that ended",
    requires: ["processes"],
    async run(subject) {
      const processes = processesOf(subject);
      await ensureCode(
        processes.spawn("keelson-no-such-command", [], {}),
        "SPAWN_FAILED",
        "an unknown command",
      );
      await ensureCode(processes.spawn("./no/such/program", [], {}), "SPAWN_FAILED", "a path to nothing");
    },
  },
  {
    id: "processes.stdio",
    title:
      "bytes and text come back in the order in which they were written, and closing the input comes after them",
    requires,
    async run(subject, context) {
      const child = await startChild(subject, context, "echo");
      const lines = Array.from({ length: 500 }, (_, n) => `line ${n} grüße 🙂\n`);
      for (const [n, line] of lines.entries()) void child.write(n % 3 === 0 ? bytesOf(line) : line);
      child.closeStdin();
      ensureEqual(await readAll(child.stdout), lines.join(""), "what came back");
      ensureEqual(await child.exited, { code: 0 }, "its end");
      await ensureCode(async () => child.write(bytesOf("x")), "PROCESS_EXITED", "a write after the end");
    },
  },
  {
    id: "processes.exit",
    title:
      "how a child ended is told by its code or its signal, standard error is kept apart, and output waits for a late reader",
    requires,
    async run(subject, context) {
      const child = await startChild(subject, context, "exit", "7");
      ensureEqual(await child.exited, { code: 7 }, "the end of one that exits with 7");
      ensureEqual(
        [await readAll(child.stdout), await readAll(child.stderr)],
        ["out\n", "err\n"],
        "what it wrote",
      );
      ensureEqual(await child.terminate(), { ended: [], orphans: [] }, "what was left to end");
      const killed = await startChild(subject, context, "killed");
      ensureEqual(await killed.exited, { signal: "SIGKILL" }, "the end of one that was killed");
    },
  },
  {
    id: "processes.environment",
    title: "a child gets PATH, HOME and what it was given, and nothing else of the host's environment",
    requires,
    async run(subject, context) {
      const { command, args } = childCommand(subject, "env");
      const child = await processesOf(subject).spawn(command, args, { env: { GIVEN: "grüße = x" } });
      context.defer(() => child.terminate({ graceMs: 0 }));
      const { GIVEN, ...rest } = JSON.parse(await readAll(child.stdout)) as Record<string, string>;
      ensureEqual(GIVEN, "grüße = x", "what it was given");
      ensureEqual(
        Object.keys(rest).filter((name) => !INHERITED.test(name)),
        [],
        "what else it got",
      );
      ensure("PATH" in rest || "Path" in rest, "PATH was not passed on");
    },
  },
  {
    id: "processes.large-output",
    title: "a flood of output arrives whole, in chunks",
    requires,
    async run(subject, context) {
      const child = await startChild(subject, context, "flood", "8000000");
      let bytes = 0;
      for await (const chunk of child.stdout) bytes += chunk.byteLength;
      ensureEqual(bytes, 8_000_000, "bytes that arrived");
    },
  },
  {
    id: "processes.back-pressure",
    title:
      "a child that never reads makes the writer wait, and its end rejects what waits with PROCESS_EXITED",
    requires,
    async run(subject, context) {
      const child = await startChild(subject, context, "deaf");
      await firstLine(child.stdout);
      let room: Promise<void> | void = undefined;
      for (let n = 0; n < 64; n++) room = child.write(new Uint8Array(64 * 1024));
      ensure(room instanceof Promise, "4 MiB to a child that reads nothing never made the writer wait");
      const waited = ensureCode(room, "PROCESS_EXITED", "the write that waited");
      await child.terminate({ graceMs: 0 });
      await waited;
    },
  },
  {
    id: "processes.asked-first",
    title: "terminate() asks before it kills: a child that heeds it ends by itself",
    requires,
    async run(subject, context) {
      const child = await startChild(subject, context, "kind");
      await firstLine(child.stdout);
      const { ended, orphans } = await child.terminate({ graceMs: 10_000, deadlineMs: 20_000 });
      ensureEqual(await child.exited, { code: 5 }, "its end");
      ensureEqual([ended.map(({ pid }) => pid), orphans], [[child.pid], []], "the report");
    },
  },
  {
    id: "processes.deaf-killed",
    title:
      "a child that is deaf to all asking is killed after the grace, and surely gone when terminate() resolves; twice is fine",
    requires,
    async run(subject, context) {
      const child = await startChild(subject, context, "deaf");
      await firstLine(child.stdout);
      const [report, again] = await Promise.all([
        child.terminate({ graceMs: 20 }),
        child.terminate({ graceMs: 20 }),
      ]);
      ensureEqual(report.orphans, [], "orphans");
      ensure(
        report.ended.some(({ pid }) => pid === child.pid),
        "the report does not name the child",
      );
      ensureEqual(again, report, "the second report");
      await ensureGone(subject, context, "after the end", child.pid);
      ensureEqual(await child.exited, { signal: "SIGKILL" }, "its end");
    },
  },
  {
    id: "processes.dispose",
    title: "disposing a child ends it, and nobody else",
    requires,
    async run(subject, context) {
      const bystander = await startChild(subject, context, "deaf");
      await firstLine(bystander.stdout);
      const child = await startChild(subject, context, "deaf");
      await firstLine(child.stdout);
      await child[Symbol.asyncDispose]();
      ensureEqual(
        await lives(subject, context, child.pid, bystander.pid),
        [false, true],
        "whether the child and its sibling live",
      );
    },
  },
  {
    id: "processes.tree-ended",
    title: "terminate() ends the whole tree, also a deaf grandchild in a session of its own",
    requires: [...requires, "processTree"],
    run: (subject, context) => ensureEndedToo(subject, context, "tree", "grandchild"),
  },
  {
    id: "processes.daemon-ended",
    title: "a daemon that left its parent, its group and its session is found and ended",
    requires: [...requires, "processTree", "strayScan"],
    run: (subject, context) => ensureEndedToo(subject, context, "daemon", "daemon"),
  },
  {
    id: "processes.reclaim-spares-the-living",
    title: "reclaim() never touches a process whose host lives",
    requires,
    async run(subject, context) {
      const child = await startChild(subject, context, "deaf");
      await firstLine(child.stdout);
      const { ended } = await processesOf(subject).reclaim();
      ensure(
        !ended.some(({ pid }) => pid === child.pid),
        "reclaim() says that it ended a child of this host",
      );
      ensureEqual(await lives(subject, context, child.pid), [true], "whether the child lives");
    },
  },
  {
    id: "processes.errors-have-codes",
    title:
      "what the operating system refuses is a KeelsonError, never a native one and never an uncaught one",
    requires: ["processes"],
    async run(subject) {
      const processes = processesOf(subject);
      for (const [command, args] of [
        ["", []],
        ["keelson\0nul", []],
        ["keelson-no-such-command", ["\0"]],
      ] as const) {
        const error = await Promise.try(() => processes.spawn(command, args, {})).then(
          (child) => child.terminate({ graceMs: 0 }),
          (thrown: unknown) => thrown,
        );
        ensure(isKeelsonError(error), `spawn(${JSON.stringify(command)}) gave ${String(error)}`);
      }
    },
  },
];
