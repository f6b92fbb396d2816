import { expect, test } from "vitest";

import { outcome, run } from "./harness.ts";
import { wat } from "./wat.ts";

// A 64-bit table, and a 64-bit memory: WebAssembly of the specification's third version.
const PROBE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 4, 4, 1, 0x70, 4, 1);
const MEMORY_PROBE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 4, 1);

const OPERATIONS = {
  "table.fill": (type: string) => `(table.fill $t (${type}.const 1) (ref.null func) (${type}.extend))`,
  "table.copy": (type: string) => `(table.copy $t $t (${type}.const 1) (${type}.const 2) (${type}.extend))`,
} as const;

test("an operation on a 64-bit table is charged for its entries as one on a table of 32 bits", (context) => {
  if (!WebAssembly.validate(PROBE)) return context.skip("this engine has no 64-bit tables");
  for (const [name, text] of Object.entries(OPERATIONS)) {
    const spent = (type: "i32" | "i64", count: number): number => {
      const length = type === "i64" ? "(i64.extend_i32_u (local.get 0))" : "(local.get 0)";
      const { exports, used } = run(
        wat(`(module (table $t ${type === "i64" ? "i64 " : ""}60000 funcref)
          (func (export "f") (param i32) ${text(type).replace(`(${type}.extend)`, length)}))`),
      );
      exports["f"]!(count);
      return used();
    };
    // of the same code, so that only the entries differ
    for (const type of ["i32", "i64"] as const) {
      expect(spent(type, 40_000) - spent(type, 0), `${name} ${type}`).toBe(8 * 40_000);
      expect(spent(type, 10) - spent(type, 0), `${name} ${type}`).toBe(8 * 10);
    }
  }
});

test("an operation on 4 GiB and more of a 64-bit memory is charged for 4 GiB", (context) => {
  if (!WebAssembly.validate(MEMORY_PROBE)) return context.skip("this engine has no 64-bit memories");
  const spent = (length: bigint): number => {
    const { exports, used } = run(
      wat(`(module (memory i64 1)
        (func (export "f") (param i64) (memory.fill (i64.const 0) (i32.const 1) (local.get 0))))`),
    );
    // so much memory there is not: it is charged, and fails
    expect(outcome(() => exports["f"]!(length))).toMatch(length > 65_536 ? /RuntimeError/ : /^undefined$/);
    return used();
  };
  const none = spent(0n);
  expect(spent(65_536n) - none).toBe(4096);
  for (const length of [2n ** 32n, 2n ** 32n + 16n, 2n ** 34n, 2n ** 64n - 1n])
    expect(spent(length) - none).toBe(2 ** 28 - 1);
});
