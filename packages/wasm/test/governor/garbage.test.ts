import { getHeapStatistics } from "node:v8";
import { expect, it } from "vitest";

import { Governor } from "../../src/governor/index.ts";
import { meter } from "../../src/meter/index.ts";
import { wat } from "../meter/wat.ts";
import { failure, usual } from "./harness.ts";

const NOT_V8 = "JavaScriptCore makes no object of a number";
/** A V8 number with a fraction takes 12 or 16. */
const LEAST_BYTES = 12;
const QUESTIONS = 50_000;

/**
 * Bytes of garbage for each time that a guest asks to go on, in a process that has run such guests before.
 *
 * @param text a guest that asks for ever
 * @param stepMs by how much the time goes on from one question to the next
 */
function garbage(text: string, stepMs: number): number {
  const { bytes, meta } = meter(wat(text), usual);
  const module = new WebAssembly.Module(bytes);
  // A number that a closure holds would be an object itself.
  const time = new Float64Array([1000.5]);
  const now = (): number => (time[0]! += stepMs);
  const found: number[] = [];
  for (let run = 0; run < 16; run++) {
    const governor = new Governor({ clock: { now } });
    const instance = new WebAssembly.Instance(module, { h: { nothing: () => {} } });
    governor.adopt(instance, meta);
    const body = instance.exports["f"] as unknown as () => void;
    const before = getHeapStatistics().used_heap_size;
    const { code } = failure(() => governor.run({ cpuMs: stepMs * QUESTIONS }, body));
    const made = getHeapStatistics().used_heap_size - before;
    expect(code).toBe("DEADLINE_EXCEEDED");
    // unless some was collected meanwhile
    if (made > 0) found.push(made / QUESTIONS);
  }
  // The first runs compile what the last ones execute.
  return Math.min(...found.slice(-4));
}

it.for([
  ["in a loop that uses up slice after slice", `(module (func (export "f") (loop (br 0))))`, 0.26],
  [
    "after each call of its host",
    `(module (import "h" "nothing" (func $h)) (func (export "f") (loop (call $h) (br 0))))`,
    0.001,
  ],
  [
    "each time that it is refused memory",
    `(module (memory 1 1) (func (export "f") (loop (drop (memory.grow (i32.const 1))) (br 0))))`,
    0.001,
  ],
] as const)("a guest that asks to go on makes no garbage: %s", ([, text, stepMs], context) => {
  if ("Bun" in globalThis) context.skip(NOT_V8);
  expect(garbage(text, stepMs)).toBeLessThan(LEAST_BYTES / 2);
});
