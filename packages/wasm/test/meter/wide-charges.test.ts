import { expect, test } from "vitest";

import { run } from "./harness.ts";
import { wat } from "./wat.ts";

// A 64-bit table: WebAssembly of the specification's third version.
const PROBE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 4, 4, 1, 0x70, 4, 1);

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
