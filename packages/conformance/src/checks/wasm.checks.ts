import { stopOf, usageOf, type Bytes } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, type Check } from "../check.ts";
import { body, count, functions, I32, MAGIC, name, section, type } from "./wasm-bytes.ts";
import { guest, openWasm, restless, startWasm, wasmModuleOf } from "./wasm-setup.ts";

const requires = ["wasm", "wasmModule"] as const;

/** A module that asks the host for a function `env.keelson_nobody_provides`. */
const needy: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([], [])]),
  ...section(2, [[...name("env"), ...name("keelson_nobody_provides"), 0x00, 0]]),
  ...section(3, [[0]]),
  ...section(7, [[...name("run"), 0x00, 1]]),
  ...section(10, [body(0x10, 0)]),
]);

/** A module that wants more than it gets: elements(i32) → i32 asks for table elements, starve() asks for memory until it is refused, and traps. */
const greedy: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([I32], [I32]), type([], [])]),
  ...section(3, [[0], [1]]),
  ...section(4, [[0x70, 0x00, 1]]),
  ...section(5, [[0x00, 1]]),
  ...section(7, functions(0, "elements", "starve")),
  ...section(10, [
    body(0xd0, 0x70, 0x20, 0, 0xfc, 0x0f, 0),
    body(0x03, 0x40, 0x41, 1, 0x40, 0, 0x41, 0x7f, 0x47, 0x0d, 0, 0x0b, 0x00),
  ]),
]);

/** A module whose start function never ends. */
const unready: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([], [])]),
  ...section(3, [[0]]),
  ...section(7, [[...name("f"), 0x00, 0]]),
  ...[8, 1, 0],
  ...section(10, [body(0x03, 0x40, 0x0c, 0, 0x0b)]),
]);

/**
 * A module of the profile keelson that answers everything with valid JSON of 80,000 bytes: 40,000 lists inside one another, at 1024. The record of
 * its answer lies at 0.
 */
const nester: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([I32], [I32]), type([I32, I32], []), type([I32, I32, I32, I32, I32], [I32])]),
  ...section(3, [[0], [1], [2]]),
  ...section(5, [[0x00, 2]]),
  ...section(7, [
    [...name("memory"), 0x02, 0],
    ...functions(0, "keelson_alloc", "keelson_free", "keelson_call"),
  ]),
  ...section(10, [
    body(0x41, 0x80, 0x02),
    body(),
    body(
      ...[0x41, 0x80, 0x08, 0x41, 0xdb, 0x00, 0x41, 0xc0, 0xb8, 0x02, 0xfc, 0x0b, 0x00],
      ...[0x41, 0xc0, 0xc0, 0x02, 0x41, 0xdd, 0x00, 0x41, 0xc0, 0xb8, 0x02, 0xfc, 0x0b, 0x00],
      ...[0x41, 0x00],
    ),
  ]),
  ...section(11, [
    [0x00, 0x41, 0x00, 0x0b, 16, 0, 0, 0, 0, 2, 0, 0, 0, 0x00, 0x04, 0, 0, 0x80, 0x38, 0x01, 0],
  ]),
]);

/** A module with a function f() that does nothing, and so many elements of its own to fill tables with, all of them that function. */
function filled(elements: number): Bytes {
  const [before, after] = [
    [...MAGIC, ...section(1, [type([], [])]), ...section(3, [[0]]), ...section(7, functions(0, "f"))],
    section(10, [body()]),
  ];
  // One passive segment, whose items are the numbers of functions, a byte each.
  const head = [1, 0x01, 0x00, ...count(elements)];
  const size = [9, ...count(head.length + elements), ...head];
  const bytes = new Uint8Array(before.length + size.length + elements + after.length);
  bytes.set([...before, ...size]);
  bytes.set(after, bytes.length - after.length);
  return bytes;
}

/** Elements that a module's tables may hold together when nothing is said. */
const TABLE_ELEMENTS = 1_000_000;

/** How much later than asked for a runaway guest may be stopped on a busy machine, ms. */
const LATEST_MS = 1_000;

/** Checks of WebAssembly guests: their calls, caps, deadlines and traps. */
export const wasmChecks: readonly Check[] = [
  {
    id: "wasm.calls",
    title: "an exported function is called by its name, and its state is that of its instance",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context);
      ensureEqual(await kernel.invoke("guest", "add", [2, 40]), 42, "2 + 40");
      ensureEqual(
        [await kernel.invoke("guest", "count", []), await kernel.invoke("guest", "count", [])],
        [1, 2],
        "calls counted",
      );
      await ensureCode(
        kernel.invoke("guest", "nothing", []),
        "UNKNOWN_METHOD",
        "a function that is not exported",
      );
      await kernel.stop("guest");
      await kernel.start("guest");
      ensureEqual(await kernel.invoke("guest", "count", []), 1, "calls counted by the next generation");
    },
  },
  {
    id: "wasm.at-once",
    title: "a guest in the host's own thread answers at once, with no promise between",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context);
      ensureEqual(kernel.invokeSync("guest", "add", [-1, 1]), 0, "-1 + 1 at once");
    },
  },
  {
    id: "wasm.trap-discards",
    title: "a trap is WASM_TRAP, takes its instance with it and nothing else",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context);
      await kernel.invoke("guest", "count", []);
      await ensureCode(kernel.invoke("guest", "boom", []), "WASM_TRAP", "unreachable");
      ensureEqual(kernel.state("guest"), "running", "state");
      ensureEqual(
        await kernel.invoke("guest", "count", []),
        1,
        "calls counted by the instance that came after",
      );
      await ensureCode(kernel.invoke("guest", "peek", [0x7fff0000]), "WASM_TRAP", "a read outside of memory");
      ensureEqual(await kernel.invoke("guest", "add", [1, 1]), 2, "1 + 1 afterwards");
    },
  },
  {
    id: "wasm.memory-cap",
    title: "a guest cannot pass its memory cap: memory.grow answers -1 there, and the module serves on",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context, { limits: { memory: 4 * 65_536 } });
      ensureEqual(await kernel.invoke("guest", "grow", [3]), 1, "pages before growing by three");
      ensureEqual(await kernel.invoke("guest", "grow", [1]), -1, "the answer past the cap");
      ensureEqual(await kernel.invoke("guest", "add", [1, 1]), 2, "1 + 1 afterwards");
    },
  },
  {
    id: "wasm.bad-bytes",
    title: "bytes that are no module are INVALID_WASM at the start, and the kernel lives on",
    requires,
    async run(subject, context) {
      const kernel = await openWasm(subject, context);
      const bad: Readonly<Record<string, Bytes>> = {
        empty: new Uint8Array(0),
        text: new TextEncoder().encode("export function add(a, b) { return a + b; }"),
        truncated: guest.slice(0, guest.length - 9),
        "magic-only": guest.slice(0, 4),
        flipped: Uint8Array.from(guest, (byte, index) => (index === 11 ? byte ^ 0xff : byte)),
      };
      for (const [id, source] of Object.entries(bad)) {
        await kernel.register(wasmModuleOf(subject)({ id, source, abi: "raw" }));
        await ensureCode(kernel.start(id), "INVALID_WASM", `the ${id} module`);
        ensureEqual(kernel.state(id), "failed", `state of the ${id} module`);
      }
      await kernel.start("guest");
      ensureEqual(await kernel.invoke("guest", "add", [1, 1]), 2, "1 + 1 of a good one");
    },
  },
  {
    id: "wasm.missing-import",
    title: "an import that nobody provides is MISSING_IMPORT at the start, and named",
    requires,
    async run(subject, context) {
      const kernel = await openWasm(subject, context, { source: needy });
      const error = await ensureCode(
        kernel.start("guest"),
        "MISSING_IMPORT",
        "a module that needs an import",
      );
      ensureEqual(error.message.includes("keelson_nobody_provides"), true, "whether the import is named");
    },
  },
  {
    id: "wasm.runaway-stopped",
    title: "a guest that loops for ever is stopped at its call's deadline, and the module serves on",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context, { source: restless });
      const { clock } = subject.platform();
      let late = 0;
      for (let round = 0; round < 3; round++) {
        const started = clock.now();
        await ensureCode(
          kernel.invoke("guest", "spin", [], { timeoutMs: 50 }),
          "DEADLINE_EXCEEDED",
          "an endless loop",
        );
        const took = clock.now() - started;
        if (took > 50 + LATEST_MS) late++;
        // One may fall together with what others do on this machine.
        ensure(late < 2, `the guest held the thread for ${Math.round(took)} ms`);
        ensureEqual(await kernel.invoke("guest", "fine", []), 42, "the next call");
      }
    },
  },
  {
    id: "wasm.stop-told",
    title:
      "the error of a guest that was stopped at its call's deadline says so, and what the guest had used",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context, { source: restless });
      const used: number[] = [];
      for (let round = 0; round < 3; round++) {
        // An instance stands ready: a call whose time went by while one was made stopped no guest.
        await kernel.invoke("guest", "fine", []);
        const call = kernel.invoke("guest", "spin", [], { timeoutMs: 50 });
        const error = await ensureCode(call, "DEADLINE_EXCEEDED", "an endless loop");
        const stop = stopOf(error, "guest");
        ensureEqual(stop?.limit, "deadline", "the limit at which the error says that this guest was stopped");
        used.push(stop?.usage?.fuel ?? 0);
      }
      // What a starved machine killed with its guest is lost.
      ensure(
        used.some((fuel) => fuel > 0),
        "the errors do not say what was used",
      );
    },
  },
  {
    id: "wasm.fuel",
    title: "a guest that used up its fuel is FUEL_EXHAUSTED, after the same amount each time",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context, { source: restless, limits: { fuel: 100_000 } });
      const used: unknown[] = [];
      for (let round = 0; round < 3; round++) {
        const error = await ensureCode(
          kernel.invoke("guest", "spin", [], { timeoutMs: 5_000 }),
          "FUEL_EXHAUSTED",
          "an endless loop",
        );
        used.push(usageOf(error)?.fuel);
      }
      ensure(typeof used[0] === "number", "the error does not say what was used");
      ensureEqual(used, [used[0], used[0], used[0]], "fuel used");
      ensureEqual(await kernel.invoke("guest", "fine", []), 42, "a call that needs little");
    },
  },
  {
    id: "wasm.recursion-stopped",
    title: "a guest that recurses for ever is STACK_EXHAUSTED, and the host's own stack is not touched",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context, { source: restless });
      await ensureCode(kernel.invoke("guest", "recurse", []), "STACK_EXHAUSTED", "endless recursion");
      ensureEqual(await kernel.invoke("guest", "fine", []), 42, "the next call");
    },
  },
  {
    id: "wasm.start-limited",
    title:
      "a start function that never ends is stopped at the module's cpuMs, or its fuel: the start fails, the kernel does not",
    requires,
    async run(subject, context) {
      const kernel = await openWasm(subject, context, { source: unready, limits: { cpuMs: 50 } });
      await kernel.register(wasmModuleOf(subject)({ id: "calm", source: restless, abi: "raw" }));
      const { clock } = subject.platform();
      const took = async (work: () => Promise<unknown>): Promise<number> => {
        const begun = clock.now();
        await work();
        return clock.now() - begun;
      };
      // What a start takes at this level, on this machine, as busy as it is.
      const calmMs = Math.min(LATEST_MS, await took(() => kernel.start("calm")));
      const ms = await took(() =>
        ensureCode(kernel.start("guest"), "DEADLINE_EXCEEDED", "an endless start function"),
      );
      ensure(ms < 50 + LATEST_MS + calmMs, `the start held the thread for ${Math.round(ms)} ms`);
      ensureEqual(kernel.state("guest"), "failed", "the module's state");
      const fuelled = await openWasm(subject, context, { source: unready, limits: { fuel: 10_000 } });
      await ensureCode(fuelled.start("guest"), "FUEL_EXHAUSTED", "an endless start function with fuel");
    },
  },
  {
    id: "wasm.table-cap",
    title: "a guest's tables cannot pass their cap: table.grow past it answers -1",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context, { source: greedy });
      ensureEqual(await kernel.invoke("guest", "elements", [TABLE_ELEMENTS]), -1, "growth past the cap");
      ensureEqual(await kernel.invoke("guest", "elements", [100]), 1, "growth within the cap");
    },
  },
  {
    id: "wasm.initializers-limited",
    title:
      "a module whose every instance would be filled with millions of elements is WASM_TOO_LARGE at its start, before one is made",
    requires,
    async run(subject, context) {
      const kernel = await openWasm(subject, context, { source: filled(2 * TABLE_ELEMENTS) });
      await ensureCode(kernel.start("guest"), "WASM_TOO_LARGE", "two million elements");
      ensureEqual(kernel.state("guest"), "failed", "the module's state");
      const modest = await startWasm(subject, context, { source: filled(1_000) });
      ensureEqual(await modest.invoke("guest", "f", []), undefined, "a call of one with a thousand");
    },
  },
  {
    id: "wasm.refusal-told",
    title: "a guest that traps after it was refused memory says so in its error, which no other trap does",
    requires,
    async run(subject, context) {
      const limits = { memory: 4 * 65_536 };
      const refusals = async (source: Bytes, method: string): Promise<unknown> => {
        const kernel = await startWasm(subject, context, { source, limits });
        const error = await ensureCode(kernel.invoke("guest", method, []), "WASM_TRAP", method);
        return error.details?.["refusedMemoryGrowths"];
      };
      ensureEqual(await refusals(greedy, "starve"), 1, "refusals told after one");
      ensureEqual(await refusals(guest, "boom"), undefined, "refusals told after none");
    },
  },
  {
    id: "wasm.answer-bounded",
    title:
      "JSON of a guest that would take its host too long is not read: the call fails, and the next one is served",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context, { source: nester, abi: "keelson" });
      for (let call = 0; call < 2; call++)
        await ensureCode(kernel.invoke("guest", "anything"), "INVALID_PAYLOAD", "lists inside one another");
    },
  },
  {
    id: "wasm.instances-capped",
    title:
      "modules share the cap on live instances: an idle one makes room for a call, one that is kept warm does not",
    requires,
    async run(subject, context) {
      const limits = { instances: 1 };
      const kernel = await openWasm(subject, context, { limits });
      const define = wasmModuleOf(subject);
      const plain = { source: guest, abi: "raw", limits } as const;
      await kernel.register(define({ id: "other", ...plain }));
      await kernel.register(define({ id: "warm", ...plain, pool: { min: 1 } }));
      await kernel.start("guest");
      await kernel.start("other");
      for (const id of ["guest", "other", "guest"])
        ensureEqual(await kernel.invoke(id, "count", []), 1, `calls counted by a new instance of ${id}`);
      await kernel.start("warm");
      await ensureCode(
        kernel.invoke("guest", "count", []),
        "INSTANCE_LIMIT",
        "a call that nobody makes room for",
      );
      ensureEqual(await kernel.invoke("warm", "count", []), 1, "calls counted by the one that is kept");
      await kernel.stop("warm");
      ensureEqual(await kernel.invoke("guest", "count", []), 1, "a call once there is room");
    },
  },
];
