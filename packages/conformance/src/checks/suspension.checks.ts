import type { Bytes, Kernel } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, handled, type Check, type CheckContext } from "../check.ts";
import type { HostFunction, Subject } from "../subject.ts";
import { body, I32, MAGIC, name, section, type } from "./wasm-bytes.ts";
import { openWasm, restless, startWasm } from "./wasm-setup.ts";

/** ask(i32) → i32 calls the host's load(i32) → i32, then its note(i32) with the answer, and answers it; add(i32, i32) → i32 adds. */
const asking: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([I32], [I32]), type([I32], []), type([I32, I32], [I32])]),
  ...section(2, [
    [...name("host"), ...name("load"), 0x00, 0],
    [...name("host"), ...name("note"), 0x00, 1],
  ]),
  ...section(3, [[0], [2]]),
  ...section(7, [
    [...name("ask"), 0x00, 2],
    [...name("add"), 0x00, 3],
  ]),
  ...section(10, [body(0x20, 0, 0x10, 0, 0x22, 0, 0x10, 1, 0x20, 0), body(0x20, 0, 0x20, 1, 0x6a)]),
]);

interface Asked {
  readonly kernel: Kernel;
  /** What load() waits for, in the order of its calls. */
  readonly loads: PromiseWithResolvers<number>[];
  readonly notes: number[];
}

async function openAsking(subject: Subject, context: CheckContext): Promise<Asked> {
  const loads: PromiseWithResolvers<number>[] = [];
  const notes: number[] = [];
  const load = (): Promise<number> => {
    const made = Promise.withResolvers<number>();
    loads.push(made);
    return made.promise;
  };
  const suspending = subject.suspending as NonNullable<Subject["suspending"]>;
  const note: HostFunction = (value: number) => void notes.push(value);
  const imports = { host: { load: suspending(load), note } };
  const kernel = await openWasm(subject, context, { source: asking, imports, pool: { max: 4 } });
  return { kernel, loads, notes };
}

/** Waits until the guests have asked for so many. */
async function asked(subject: Subject, { loads }: Asked, count: number): Promise<void> {
  const { clock } = subject.platform();
  for (const until = clock.now() + 2_000; loads.length < count && clock.now() < until;)
    await new Promise<void>((resolve) => void clock.after(1, resolve));
  ensureEqual(loads.length, count, "calls of the host function");
}

/** Turns of the clock until `work` is over, which it never breaks. */
async function turnsDuring(subject: Subject, work: Promise<unknown>): Promise<number> {
  const { clock } = subject.platform();
  let over = false;
  const end = (): void => void (over = true);
  void work.then(end, end);
  let turns = 0;
  while (!over) {
    await new Promise<void>((resolve) => void clock.after(1, resolve));
    turns++;
  }
  return turns;
}

/** Checks of guests that are suspended: for asynchronous host functions, and by time slices. */
export const suspensionChecks: readonly Check[] = [
  {
    id: "wasm.async-suspends",
    title: "an asynchronous host function suspends its guest until it has answered, and nobody else",
    requires: ["wasm", "wasmModule", "suspending", "jspi"],
    async run(subject, context) {
      const opened = await openAsking(subject, context);
      const { kernel, loads, notes } = opened;
      await kernel.start("guest");
      const first = handled(kernel.invoke("guest", "ask", [1]));
      const second = handled(kernel.invoke("guest", "ask", [2]));
      ensureEqual(await kernel.invoke("guest", "add", [2, 40]), 42, "a call of another instance meanwhile");
      await asked(subject, opened, 2);
      ensureEqual(notes, [], "what was noted before any answer");
      loads[0]?.resolve(10);
      const one = await Promise.race([first, second]);
      ensureEqual(one, 10, "the answer of the one that was served first");
      loads[1]?.resolve(20);
      ensureEqual(Number(await first) + Number(await second), 30, "the answers of both together");
      ensureEqual(notes, [10, 20], "what the guests did after their wait");
    },
  },
  {
    id: "wasm.async-ended",
    title: "a call whose host function does not answer ends at its deadline, and its guest never goes on",
    requires: ["wasm", "wasmModule", "suspending", "jspi"],
    async run(subject, context) {
      const opened = await openAsking(subject, context);
      const { kernel, loads, notes } = opened;
      await kernel.start("guest");
      await ensureCode(
        kernel.invoke("guest", "ask", [1], { timeoutMs: 100 }),
        "DEADLINE_EXCEEDED",
        "the wait",
      );
      await asked(subject, opened, 1);
      loads[0]?.resolve(10);
      const later = handled(kernel.invoke("guest", "ask", [2]));
      await asked(subject, opened, 2);
      loads[1]?.resolve(20);
      ensureEqual(await later, 20, "a call after it");
      ensureEqual(notes, [20], "what guests did: the first one nothing more");
    },
  },
  {
    id: "wasm.async-fails",
    title:
      "an asynchronous host function that throws or rejects, with whatever it may be, fails its call alone and keeps no instance",
    requires: ["wasm", "wasmModule", "suspending", "jspi"],
    async run(subject, context) {
      // Whatever is asked of it throws.
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      const ways: Readonly<Record<string, () => number | Promise<number>>> = {
        "an error that it throws": () => {
          throw new RangeError("no such article");
        },
        "an error that it rejects with": () => Promise.reject(new RangeError("no such article")),
        "what cannot be looked at, thrown": () => {
          throw proxy;
        },
        "what cannot be looked at, rejected with": () => Promise.reject(proxy as Error),
      };
      let load: () => number | Promise<number> = () => 1;
      const suspending = subject.suspending as NonNullable<Subject["suspending"]>;
      const imports = { host: { load: suspending((() => load()) as HostFunction), note: () => undefined } };
      const kernel = await startWasm(subject, context, { source: asking, imports });
      for (const [what, way] of Object.entries(ways)) {
        load = way;
        await ensureCode(kernel.invoke("guest", "ask", [1], { timeoutMs: 2_000 }), "CALL_FAILED", what);
        ensureEqual(await kernel.invoke("guest", "add", [2, 40]), 42, `the only instance after ${what}`);
      }
    },
  },
  {
    id: "wasm.async-refused",
    title:
      "where the platform cannot suspend guests, a module with an asynchronous host function is UNSUPPORTED at its start",
    requires: ["wasm", "wasmModule", "suspending"],
    async run(subject, context) {
      const lacking: Subject = {
        ...subject,
        platform() {
          const platform = subject.platform();
          const reasons = { ...platform.reasons, jspi: "said for this check" };
          return { ...platform, supports: { ...platform.supports, jspi: false }, reasons };
        },
      };
      const { kernel } = await openAsking(lacking, context);
      const error = await ensureCode(kernel.start("guest"), "UNSUPPORTED", "the start");
      ensure(error.message.includes("said for this check"), "the error does not say why");
    },
  },
  {
    id: "wasm.sliced",
    title:
      "guests that loop for ever in slices are each stopped at their own running time, while the event loop lives",
    requires: ["wasm", "wasmModule", "jspi"],
    async run(subject, context) {
      const kernel = await startWasm(subject, context, {
        source: restless,
        scheduling: "sliced",
        limits: { cpuMs: 20 },
        pool: { max: 4 },
      });
      const stopped = Promise.all(
        Array.from({ length: 4 }, () =>
          ensureCode(kernel.invoke("guest", "spin", []), "DEADLINE_EXCEEDED", "an endless loop"),
        ),
      );
      const turns = await turnsDuring(subject, stopped);
      await stopped;
      ensure(turns >= 8, `the event loop turned ${turns} times while four guests had 20 ms each`);
      ensureEqual(await kernel.invoke("guest", "fine", []), 42, "the next call");
    },
  },
  {
    id: "wasm.fresh",
    title: 'with state "fresh", nothing that a call left in its guest is there for the next',
    requires: ["wasm", "wasmModule"],
    async run(subject, context) {
      const kernel = await startWasm(subject, context, { state: "fresh" });
      for (let round = 0; round < 3; round++) {
        ensureEqual(await kernel.invoke("guest", "count", []), 1, "calls counted");
        ensureEqual(await kernel.invoke("guest", "grow", [1]), 1, "pages before growing");
      }
    },
  },
];
