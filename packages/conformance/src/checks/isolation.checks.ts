import type { Clock, Platform, Process, WorkerThread } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, handled, type Check } from "../check.ts";
import type { Subject } from "../subject.ts";
import { hostFunctionChecks } from "./host-functions.checks.ts";
import { suspensionChecks } from "./suspension.checks.ts";
import { restless, startWasm } from "./wasm-setup.ts";
import { wasmChecks } from "./wasm.checks.ts";

type Level = "worker" | "process";

const needs: Readonly<Record<Level, readonly string[]>> = {
  worker: ["wasm", "wasmModule", "workers", "sharedMemory"],
  process: ["wasm", "wasmModule", "fork"],
};
const places: Readonly<Record<Level, string>> = {
  worker: "in a thread of its own",
  process: "in a process of its own",
};

/**
 * Checks of what only the host's own thread can: answers at once, a flag that is looked at beside the host, slices of one thread, and records. The
 * last is of what a platform lacks that others need no more.
 */
const inlineOnly: ReadonlySet<string> = new Set([
  "wasm.at-once",
  "wasm.interrupt",
  "wasm.sliced",
  "measure.replay",
  "measure.replay-diverges",
  "wasm.async-refused",
]);

/** Checks of guests, which hold wherever they run. */
const guestChecks: readonly Check[] = [...wasmChecks, ...hostFunctionChecks, ...suspensionChecks].filter(
  ({ id }) => !inlineOnly.has(id),
);

/** How long what was ended may take to be seen as ended, ms. */
const ENDED_MS = 3_000;
/** How much later than asked for something may happen on a busy machine, ms. */
const LATEST_MS = 1_000;

/** The subject with every guest at this level. */
function at(level: Level, subject: Subject): Subject {
  const { wasmModule } = subject;
  if (wasmModule === undefined) return subject;
  return { ...subject, wasmModule: (options) => wasmModule({ ...options, isolation: level }) };
}

/** The subject, and what its platforms started. */
function watch(subject: Subject): { subject: Subject; threads: WorkerThread[]; children: Process[] } {
  const threads: WorkerThread[] = [];
  const children: Process[] = [];
  const watched = (platform: Platform): Platform => {
    const { workers, processes } = platform;
    return {
      ...platform,
      ...(workers && {
        workers: {
          start(...args) {
            const thread = workers.start(...args);
            threads.push(thread);
            return thread;
          },
        },
      }),
      ...(processes?.fork && {
        processes: {
          spawn: (...args) => processes.spawn(...args),
          reclaim: () => processes.reclaim(),
          async fork(...args) {
            const child = await (processes.fork as NonNullable<typeof processes.fork>)(...args);
            children.push(child);
            return child;
          },
        },
      }),
    };
  };
  return { subject: { ...subject, platform: () => watched(subject.platform()) }, threads, children };
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}

function checksAt(level: Level): readonly Check[] {
  const requires = needs[level];
  const place = places[level];
  const derived = guestChecks.map((check): Check => ({
    id: check.id.replace(/^wasm\./, `wasm.${level}.`),
    title: `${place}: ${check.title}`,
    // A guest elsewhere waits for its host without being suspended.
    requires: [...new Set([...requires, ...(check.requires ?? [])])].filter((one) => one !== "jspi"),
    run: (subject, context) => check.run(at(level, subject), context),
  }));
  return [
    ...derived,
    {
      id: `wasm.${level}.host-free`,
      title: `while a guest ${place} loops for ever, the host's thread goes on`,
      requires,
      async run(subject, context) {
        const kernel = await startWasm(at(level, subject), context, { source: restless });
        const { clock } = subject.platform();
        const until = clock.now() + 300;
        const call = handled(kernel.invoke("guest", "spin", [], { timeoutMs: 400 }));
        let turns = 0;
        for (; clock.now() < until; turns++) await pause(clock, 5);
        await ensureCode(call, "DEADLINE_EXCEEDED", "an endless loop");
        ensure(turns >= 5, `the host's timers came ${turns} times in 300 ms`);
      },
    },
    {
      id: `wasm.${level}.abort`,
      title: `a guest that loops ${place} is stopped at once when its caller aborts`,
      requires,
      async run(subject, context) {
        const kernel = await startWasm(at(level, subject), context, { source: restless });
        const { clock } = subject.platform();
        for (let round = 0; round < 2; round++) {
          const abort = new AbortController();
          const call = handled(
            kernel.invoke("guest", "spin", [], { signal: abort.signal, timeoutMs: LATEST_MS * 3 }),
          );
          await pause(clock, 30);
          const aborted = clock.now();
          abort.abort();
          await ensureCode(call, "ABORTED", "the aborted call");
          // The next call needs an instance that is not busy any more.
          ensureEqual(await kernel.invoke("guest", "fine", []), 42, "the next call");
          const took = clock.now() - aborted;
          ensure(took < LATEST_MS * 2.5, `the guest went on for ${Math.round(took)} ms`);
        }
      },
    },
    {
      id: `wasm.${level}.ended`,
      title: `nothing of a guest ${place} is left after shutdown`,
      requires,
      async run(given, context) {
        const { subject, threads, children } = watch(given);
        const kernel = await startWasm(at(level, subject), context, { source: restless, pool: { max: 2 } });
        await Promise.all([kernel.invoke("guest", "fine", []), kernel.invoke("guest", "fine", [])]);
        const { orphans, errors } = await kernel.shutdown();
        ensureEqual([orphans.length, errors.length], [0, 0], "orphans and errors of the shutdown");
        const started = level === "worker" ? threads : children;
        ensure(started.length > 0, `no ${level === "worker" ? "thread" : "child process"} was ever started`);
        const { clock } = subject.platform();
        const late = Promise.withResolvers<boolean>();
        using _timer = clock.after(ENDED_MS, () => late.resolve(false));
        const all = Promise.all(started.map(({ exited }) => exited as Promise<unknown>));
        const ended = await Promise.race([all.then(() => true), late.promise]);
        ensure(ended, `one of ${started.length} lives on`);
      },
    },
  ];
}

/** Checks of guests that run in a thread or a process of their own. */
export const isolationChecks: readonly Check[] = [
  ...checksAt("worker"),
  ...checksAt("process"),
  {
    id: "wasm.process.killed-alone",
    title:
      "a guest's process that is killed from outside fails its own call with PROCESS_EXITED, and nothing else",
    requires: needs.process,
    async run(given, context) {
      const { subject, children } = watch(given);
      const kernel = await startWasm(at("process", subject), context, {
        source: restless,
        pool: { min: 2, max: 2 },
      });
      const { clock } = subject.platform();
      const calls = [1, 2].map(() => handled(kernel.invoke("guest", "spin", [], { timeoutMs: 600 })));
      await pause(clock, 30);
      await children[0]?.terminate({ graceMs: 0 });
      const codes = await Promise.all(
        calls.map((call) => call.catch((error: unknown) => (error as { code?: unknown }).code)),
      );
      ensureEqual(
        codes.map(String).sort((a, b) => (a < b ? -1 : 1)),
        ["DEADLINE_EXCEEDED", "PROCESS_EXITED"],
        "how the two calls ended",
      );
      ensureEqual(kernel.state("guest"), "running", "state");
      ensureEqual(await kernel.invoke("guest", "fine", []), 42, "the next call");
    },
  },
];
