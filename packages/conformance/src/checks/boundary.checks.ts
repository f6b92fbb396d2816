import {
  nativeModule,
  processModule,
  runOnce,
  type Envelope,
  type ErrorCode,
  type Kernel,
  type KernelOptions,
  type Log,
  type ProcessModuleOptions,
  type Value,
} from "@keelson/core";
import { ensure, ensureCode, ensureEqual, type Check, type CheckContext } from "../check.ts";
import { childCommand } from "../program.ts";
import type { Subject } from "../subject.ts";
import { ensureGone } from "./child-setup.ts";
import { openKernel } from "./kernel-setup.ts";

const requires = ["processes", "child"] as const;

/** How long a cancellation may take to reach the child on a busy machine, ms. */
const CANCELLED_MS = 1_000;

/** A kernel with the process module "child", not started. */
async function openChild(
  subject: Subject,
  context: CheckContext,
  how: string,
  options: Partial<ProcessModuleOptions> = {},
  kernelOptions: Partial<KernelOptions> = {},
): Promise<Kernel> {
  const kernel = await openKernel(subject, context, kernelOptions);
  await kernel.register(
    processModule({ id: "child", ...childCommand(subject, "module", how), graceMs: 50, ...options }),
  );
  return kernel;
}

/** How many cancellations the child has read. Waits until they are as many as expected, for they may reach it a moment after the caller has its error. */
async function cancellations(kernel: Kernel, expected: number, subject: Subject): Promise<number> {
  const { clock } = subject.platform();
  const until = clock.now() + CANCELLED_MS;
  for (;;) {
    const count = await kernel.invoke("child", "cancelled");
    if (count === expected || clock.now() > until) return Number(count);
  }
}

/** The kernel of {@link openChild} with its module started. */
async function startModule(...how: Parameters<typeof openChild>): Promise<Kernel> {
  const kernel = await openChild(...how);
  await kernel.start("child");
  return kernel;
}

/** The next envelope on a topic. */
function next(kernel: Kernel, topic: string): Promise<Envelope> {
  return new Promise((resolve) => {
    const handle = kernel.bus.on(topic, (envelope) => {
      handle[Symbol.dispose]();
      resolve(envelope);
    });
  });
}

const pidOf = ({ data }: Envelope): number =>
  (data as { event: { payload: { pid: number } } }).event.payload.pid;

/** Checks of child processes that speak JSON lines. */
export const boundaryChecks: readonly Check[] = [
  {
    id: "boundary.life",
    title:
      "a child is running once its first event is there, which is published; after the shutdown it is surely gone",
    requires,
    async run(subject, context) {
      const kernel = await openChild(subject, context, "good");
      const ready = next(kernel, "boundary.child.ready");
      await kernel.start("child");
      const envelope = await ready;
      ensureEqual(envelope.source, "child", "source of the event");
      const value = {
        text: "grüße \u{1f600}\n",
        bytes: Uint8Array.of(0, 10, 255),
        big: 2n ** 80n,
        list: [1.5, null, true],
        $bytes: "AQ==",
      };
      const { bytes, ...rest } = (await kernel.invoke("child", "echo", value)) as typeof value;
      ensure(bytes instanceof Uint8Array, "bytes did not come back as bytes");
      ensureEqual(
        [[...bytes], rest],
        [[0, 10, 255], { text: value.text, big: value.big, list: value.list, $bytes: value.$bytes }],
        "the value that came back",
      );
      ensureEqual(await kernel.health("child"), { healthy: true }, "health");
      const { terminated, orphans, errors } = await kernel.shutdown();
      ensureEqual([terminated, orphans, errors], [["child"], [], []], "the shutdown report");
      await ensureGone(subject, context, "after the shutdown", pidOf(envelope));
    },
  },
  {
    id: "boundary.calls-in-flight",
    title: "calls in flight are answered each with its own reply, large ones among them",
    requires,
    async run(subject, context) {
      const kernel = await startModule(subject, context, "good");
      const payloads = Array.from({ length: 300 }, (_, n) => (n % 50 === 0 ? "x".repeat(200_000 + n) : n));
      const answers = await Promise.all(payloads.map((payload) => kernel.invoke("child", "echo", payload)));
      ensure(
        answers.every((answer, n) => answer === payloads[n]),
        "an answer went to another call",
      );
    },
  },
  {
    id: "boundary.early-exit-reports-stderr",
    title: "a child that exits before its first line is told at once, with its exit code and its last words",
    requires,
    async run(subject, context) {
      const kernel = await openChild(subject, context, "fails", {
        restart: { policy: "never" },
        handshakeMs: 120_000,
      });
      const error = await ensureCode(kernel.start("child"), "PROCESS_EXITED", "a child that exits with 4");
      ensureEqual(error.details?.["code"], 4, "the exit code in the details");
      ensure(
        error.message.includes("no configuration"),
        "the message does not carry the last lines of standard error",
      );
      ensureEqual(kernel.state("child"), "failed", "state");
    },
  },
  {
    id: "boundary.bad-start",
    title:
      "no command, no word, garbage, silence and a line without end each have a code, and nothing of the child is left",
    requires,
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const bad: readonly (readonly [
        how: string,
        code: ErrorCode,
        options: Partial<ProcessModuleOptions>,
      ])[] = [
        ["command", "SPAWN_FAILED", { command: "keelson-no-such-command" }],
        ["empty", "EMPTY_OUTPUT", {}],
        ["garbage", "INVALID_JSON", {}],
        ["silent", "HANDSHAKE_TIMEOUT", { handshakeMs: 50 }],
        ["long", "LINE_TOO_LONG", { maxLineBytes: 10_000 }],
      ];
      await Promise.all(
        bad.map(async ([how, code, options]) => {
          await kernel.register(
            processModule({
              id: how,
              ...childCommand(subject, "module", how),
              graceMs: 0,
              restart: { policy: "never" },
              ...options,
            }),
          );
          await ensureCode(kernel.start(how), code, `a child with the fault "${how}"`);
          ensureEqual(kernel.state(how), "failed", "state");
        }),
      );
      const { orphans, errors } = await kernel.shutdown();
      ensureEqual([orphans, errors], [[], []], "orphans and errors of the shutdown");
    },
  },
  {
    id: "boundary.crash-restarts",
    title:
      "a crash rejects the calls in flight with PROCESS_EXITED, code and last words, and the child comes back under its policy",
    requires,
    async run(subject, context) {
      const kernel = await startModule(subject, context, "good", {
        restart: { policy: "on-failure", backoff: { initialMs: 1 } },
      });
      const again = next(kernel, "module.started");
      const hung = ensureCode(kernel.invoke("child", "hang"), "PROCESS_EXITED", "a call in flight");
      const error = await ensureCode(
        kernel.invoke("child", "crash"),
        "PROCESS_EXITED",
        "the call that crashed it",
      );
      ensure(
        error.message.includes("crashing as told"),
        "the message does not carry the last lines of standard error",
      );
      await hung;
      await again;
      ensureEqual(await kernel.invoke("child", "echo", "back"), "back", "the answer after the restart");
      ensureEqual(kernel.list()[0]?.generation, 2, "generation");
    },
  },
  {
    id: "boundary.noise-harmless",
    title: "broken UTF-8, garbage and a line over the limit are error events; the next good line is read",
    requires,
    async run(subject, context) {
      const kernel = await startModule(subject, context, "good", { maxLineBytes: 2_000 });
      const codes: Value[] = [];
      kernel.bus.on(
        "boundary.child.error",
        ({ data }) => void codes.push((data as { error: { code: string } }).error.code),
      );
      ensureEqual(await kernel.invoke("child", "noise"), "still here", "the answer behind the noise");
      ensureEqual(codes, ["INVALID_UTF8", "INVALID_JSON", "LINE_TOO_LONG"], "error events");
      ensureEqual(kernel.state("child"), "running", "state");
    },
  },
  {
    id: "boundary.errors-and-cancels",
    title:
      "the child's own error keeps its code, and a call that is given up or late is cancelled in the child",
    requires,
    async run(subject, context) {
      const kernel = await startModule(subject, context, "good");
      await ensureCode(kernel.invoke("child", "fail"), "NOT_FOUND", "an error of the child's");
      const controller = new AbortController();
      const aborted = ensureCode(
        kernel.invoke("child", "hang", null, { signal: controller.signal }),
        "ABORTED",
        "an aborted call",
      );
      // Requests are read in order: when this one is answered, the child has the one before.
      await kernel.invoke("child", "echo", "read");
      controller.abort();
      await aborted;
      ensureEqual(await cancellations(kernel, 1, subject), 1, "cancellations after the abort");
      // On a busy machine a call's time may be over before it was sent, and there is nothing to cancel.
      let cancelled = 1;
      for (let timeoutMs = 20; cancelled === 1 && timeoutMs < 1_000; timeoutMs *= 2) {
        await ensureCode(
          kernel.invoke("child", "hang", null, { timeoutMs }),
          "DEADLINE_EXCEEDED",
          `a call of ${timeoutMs} ms`,
        );
        cancelled = await cancellations(kernel, 2, subject);
      }
      ensureEqual(cancelled, 2, "cancellations after the late call");
    },
  },
  {
    id: "boundary.child-calls",
    title: "the child calls modules of the host, on its own behalf, and gets their answers and errors",
    requires,
    async run(subject, context) {
      const kernel = await openChild(subject, context, "good");
      await kernel.register(
        nativeModule({ id: "math", methods: { double: ({ payload }) => (payload as number) * 2 } }),
      );
      await kernel.start();
      ensureEqual(
        await kernel.invoke("child", "ask", { module: "math", method: "double", payload: 21 }),
        42,
        "the answer",
      );
      const unknown = kernel.invoke("child", "ask", { module: "nobody", method: "double", payload: 21 });
      await ensureCode(unknown, "UNKNOWN_MODULE", "a call of nobody");
      await ensureCode(
        kernel.invoke("child", "ask", { method: "x" }),
        "UNKNOWN_METHOD",
        "a request without a module",
      );
    },
  },
  {
    id: "boundary.environment",
    title: "the child gets its environment and what was made for this start; the second wins",
    requires,
    async run(subject, context) {
      const kernel = await startModule(subject, context, "good", {
        env: { A: "a", BOTH: "env" },
        preSpawn: async ({ id, generation }) => ({ TOKEN: `${id} ${generation}`, BOTH: "preSpawn" }),
      });
      const asked = ["A", "TOKEN", "BOTH"].map((name) => kernel.invoke("child", "env", name));
      ensureEqual(await Promise.all(asked), ["a", "child 1", "preSpawn"], "variables");
    },
  },
  {
    id: "boundary.stderr-is-log",
    title: "lines on standard error become log records that carry the module's id",
    requires,
    async run(subject, context) {
      const found = Promise.withResolvers<unknown>();
      const log: Log = {
        write(_, message, fields) {
          if (message.includes("something to say")) found.resolve(fields?.["module"]);
        },
      };
      const kernel = await startModule(
        subject,
        context,
        "good",
        {},
        { platform: { ...subject.platform(), log } },
      );
      await kernel.invoke("child", "complain", "something to say");
      ensureEqual(await found.promise, "child", "the record's module");
    },
  },
  {
    id: "boundary.deaf-child",
    title:
      "a child that never reads costs a bounded queue: calls are refused or time out, and the host and the shutdown go on",
    requires,
    async run(subject, context) {
      const kernel = await startModule(subject, context, "unread", { maxQueuedBytes: 1_000_000 });
      const codes = new Set<string>();
      const payload = "x".repeat(200_000);
      const calls = Array.from({ length: 20 }, async () => {
        // A turn each, so that what is queued has a chance to go out.
        await new Promise<void>((resolve) => void kernel.platform.clock.after(0, resolve));
        const refused = await kernel
          .invoke("child", "echo", payload, { timeoutMs: 500 })
          .catch((error: { code: string }) => error.code);
        codes.add(String(refused));
      });
      await Promise.all(calls);
      ensure(codes.has("QUEUE_FULL"), `no call was refused: ${[...codes].join(", ")}`);
      ensureEqual(
        [...codes].filter((code) => code !== "QUEUE_FULL" && code !== "DEADLINE_EXCEEDED"),
        [],
        "other answers",
      );
      ensureEqual((await kernel.shutdown()).orphans, [], "orphans");
    },
  },
  {
    id: "boundary.run-once",
    title: "a one-shot run gives the first event and ends a child that would live on",
    requires,
    async run(subject, context) {
      const platform = subject.platform();
      const { event } = await runOnce(platform, { ...childCommand(subject, "module", "unread"), graceMs: 0 });
      ensure(event.kind === "module" && event.event_type === "ready", "the event is not that of the child");
      await ensureGone(subject, context, "after the run", (event.payload as { pid: number }).pid);
      await ensureCode(
        runOnce(platform, childCommand(subject, "module", "fails")),
        "PROCESS_EXITED",
        "a child that fails",
      );
    },
  },
];
