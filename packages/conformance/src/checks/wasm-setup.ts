import type { Bytes, Kernel } from "@keelson/core";
import type { CheckContext } from "../check.ts";
import type { Subject, WasmSubjectOptions } from "../subject.ts";
import { openKernel } from "./kernel-setup.ts";
import { body, functions, I32, MAGIC, name, section, type } from "./wasm-bytes.ts";

/**
 * A core module of one memory of a page and these functions: add(i32, i32) → i32, count() → i32 which counts its calls, boom() which traps,
 * grow(i32) → i32 which asks for pages, peek(i32) → i32 which reads memory.
 */
export const guest: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([I32, I32], [I32]), type([], [I32]), type([], []), type([I32], [I32])]),
  ...section(3, [[0], [1], [2], [3], [3]]),
  ...section(5, [[0x00, 0x01]]),
  // a mutable i32 that begins at 0
  ...section(6, [[I32, 0x01, 0x41, 0x00, 0x0b]]),
  ...section(7, [[...name("memory"), 0x02, 0], ...functions(0, "add", "count", "boom", "grow", "peek")]),
  ...section(10, [
    body(0x20, 0, 0x20, 1, 0x6a),
    body(0x23, 0, 0x41, 1, 0x6a, 0x24, 0, 0x23, 0),
    body(0x00),
    body(0x20, 0, 0x40, 0),
    body(0x20, 0, 0x28, 2, 0),
  ]),
]);

/** A module that would hold its thread for ever: fine() → i32 is 42, spin() loops without end, recurse() calls itself without end. */
export const restless: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([], [I32]), type([], [])]),
  ...section(3, [[0], [1], [1]]),
  ...section(7, functions(0, "fine", "spin", "recurse")),
  ...section(10, [body(0x41, 42), body(0x03, 0x40, 0x0c, 0, 0x0b), body(0x10, 2)]),
]);

/** What makes modules; the check must require "wasmModule". */
export function wasmModuleOf({ wasmModule }: Subject): NonNullable<Subject["wasmModule"]> {
  if (wasmModule !== undefined) return wasmModule;
  throw new TypeError('a check of WebAssembly modules must require "wasmModule"');
}

/** A kernel with the module `guest`, registered and not started. */
export async function openWasm(
  subject: Subject,
  context: CheckContext,
  options: Partial<WasmSubjectOptions> = {},
): Promise<Kernel> {
  // Guests are stopped again and again here: what comes of that has checks of its own.
  const kernel = await openKernel(subject, context, { quarantine: false });
  const usual = { id: "guest", source: guest, abi: "raw", pool: { max: 1 } } as const;
  await kernel.register(wasmModuleOf(subject)({ ...usual, ...options }));
  return kernel;
}

/** A kernel whose module `guest` runs. */
export async function startWasm(
  subject: Subject,
  context: CheckContext,
  options: Partial<WasmSubjectOptions> = {},
): Promise<Kernel> {
  const kernel = await openWasm(subject, context, options);
  await kernel.start("guest");
  return kernel;
}
