import type { Bytes, Kernel } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, type Check, type CheckContext } from "../check.ts";
import type { Subject, WasmSubjectOptions } from "../subject.ts";
import { openKernel } from "./kernel-setup.ts";

const requires = ["wasm", "wasmModule"] as const;

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00] as const;
const I32 = 0x7f;

/**
 * A core module of one memory of a page and these functions: add(i32, i32) → i32, count() → i32 which counts its calls, boom() which traps,
 * grow(i32) → i32 which asks for pages, peek(i32) → i32 which reads memory. Put together by hand: the suite needs no toolchain.
 */
const guest: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([I32, I32], [I32]), type([], [I32]), type([], []), type([I32], [I32])]),
  ...section(3, [[0], [1], [2], [3], [3]]),
  ...section(5, [[0x00, 0x01]]),
  // a mutable i32 that begins at 0
  ...section(6, [[I32, 0x01, 0x41, 0x00, 0x0b]]),
  ...section(7, [
    [...name("memory"), 0x02, 0],
    ...["add", "count", "boom", "grow", "peek"].map((function_, index) => [...name(function_), 0x00, index]),
  ]),
  ...section(10, [
    body(0x20, 0, 0x20, 1, 0x6a),
    body(0x23, 0, 0x41, 1, 0x6a, 0x24, 0, 0x23, 0),
    body(0x00),
    body(0x20, 0, 0x40, 0),
    body(0x20, 0, 0x28, 2, 0),
  ]),
]);

/** A module that asks the host for a function `env.keelson_nobody_provides`. */
const needy: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([], [])]),
  ...section(2, [[...name("env"), ...name("keelson_nobody_provides"), 0x00, 0]]),
  ...section(3, [[0]]),
  ...section(7, [[...name("run"), 0x00, 1]]),
  ...section(10, [body(0x10, 0)]),
]);

/** A module that would hold its thread for ever: fine() → i32 is 42, spin() loops without end, recurse() calls itself without end. */
const restless: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([], [I32]), type([], [])]),
  ...section(3, [[0], [1], [1]]),
  ...section(
    7,
    ["fine", "spin", "recurse"].map((function_, index) => [...name(function_), 0x00, index]),
  ),
  ...section(10, [body(0x41, 42), body(0x03, 0x40, 0x0c, 0, 0x0b), body(0x10, 2)]),
]);

/** How much later than asked for a runaway guest may be stopped on a busy machine, ms. */
const LATEST_MS = 1_000;

// Every count and size below is less than 128, so that it is a byte of its own.
function section(id: number, items: readonly (readonly number[])[]): readonly number[] {
  const content = [items.length, ...items.flat()];
  return [id, content.length, ...content];
}

function type(params: readonly number[], results: readonly number[]): readonly number[] {
  return [0x60, params.length, ...params, results.length, ...results];
}

function name(text: string): readonly number[] {
  return [text.length, ...new TextEncoder().encode(text)];
}

function body(...code: readonly number[]): readonly number[] {
  return [code.length + 2, 0, ...code, 0x0b];
}

async function openWasm(
  subject: Subject,
  context: CheckContext,
  options: Partial<WasmSubjectOptions> = {},
): Promise<Kernel> {
  const { wasmModule } = subject;
  if (wasmModule === undefined)
    throw new TypeError('a check of WebAssembly modules must require "wasmModule"');
  // Guests are stopped again and again here: what comes of that has checks of its own.
  const kernel = await openKernel(subject, context, { quarantine: false });
  await kernel.register(wasmModule({ id: "guest", source: guest, abi: "raw", pool: { max: 1 }, ...options }));
  return kernel;
}

export const wasmChecks: readonly Check[] = [
  {
    id: "wasm.calls",
    title: "an exported function is called by its name, at once, and its state is that of its instance",
    requires,
    async run(subject, context) {
      const kernel = await openWasm(subject, context);
      await kernel.start("guest");
      ensureEqual(await kernel.invoke("guest", "add", [2, 40]), 42, "2 + 40");
      ensureEqual(kernel.invokeSync("guest", "add", [-1, 1]), 0, "-1 + 1 at once");
      ensureEqual(
        [kernel.invokeSync("guest", "count", []), kernel.invokeSync("guest", "count", [])],
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
    id: "wasm.trap-discards",
    title: "a trap is WASM_TRAP, takes its instance with it and nothing else",
    requires,
    async run(subject, context) {
      const kernel = await openWasm(subject, context);
      await kernel.start("guest");
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
      const kernel = await openWasm(subject, context, { limits: { memory: 4 * 65_536 } });
      await kernel.start("guest");
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
        await kernel.register(
          (subject.wasmModule as NonNullable<Subject["wasmModule"]>)({ id, source, abi: "raw" }),
        );
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
    title:
      "a guest that loops for ever is stopped at its call's deadline, in the host's thread, and the module serves on",
    requires,
    async run(subject, context) {
      const kernel = await openWasm(subject, context, { source: restless });
      await kernel.start("guest");
      const { clock } = subject.platform();
      for (let round = 0; round < 3; round++) {
        const started = clock.now();
        await ensureCode(
          kernel.invoke("guest", "spin", [], { timeoutMs: 50 }),
          "DEADLINE_EXCEEDED",
          "an endless loop",
        );
        ensure(
          clock.now() - started < 50 + LATEST_MS,
          `the guest held the thread for ${Math.round(clock.now() - started)} ms`,
        );
        ensureEqual(await kernel.invoke("guest", "fine", []), 42, "the next call");
      }
    },
  },
  {
    id: "wasm.fuel",
    title: "a guest that used up its fuel is FUEL_EXHAUSTED, after the same amount each time",
    requires,
    async run(subject, context) {
      const kernel = await openWasm(subject, context, { source: restless, limits: { fuel: 100_000 } });
      await kernel.start("guest");
      const used: unknown[] = [];
      for (let round = 0; round < 3; round++) {
        const error = await ensureCode(
          kernel.invoke("guest", "spin", [], { timeoutMs: 5_000 }),
          "FUEL_EXHAUSTED",
          "an endless loop",
        );
        const { usage } = ((error as { details?: unknown }).details ?? {}) as { usage?: { fuel?: number } };
        used.push(usage?.fuel);
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
      const kernel = await openWasm(subject, context, { source: restless });
      await kernel.start("guest");
      await ensureCode(kernel.invoke("guest", "recurse", []), "STACK_EXHAUSTED", "endless recursion");
      ensureEqual(await kernel.invoke("guest", "fine", []), 42, "the next call");
    },
  },
];
