import { isKeelsonError } from "@keelson/core";
import { describe, expect, test } from "vitest";

import { defaultMeterLimits, type MeterOptions } from "../../src/meter/options.ts";
import { meter } from "../../src/meter/index.ts";
import { wat } from "./wat.ts";

const BYTES = wat(`(module (func (export "f") (loop (br 0))))`);
/** What has no text or no number: each throws when it is made into one. */
const unprintable: readonly unknown[] = [Symbol("s"), Object.create(null), { valueOf: 5 }];

function refusal(options: unknown, bytes: unknown = BYTES): string | undefined {
  try {
    meter(bytes as Uint8Array, options as MeterOptions);
    return undefined;
  } catch (error) {
    return isKeelsonError(error) ? error.code : String(error);
  }
}

describe("what callers without types give the meter", () => {
  test("as the module is INVALID_OPTIONS unless it is bytes", () => {
    for (const bytes of [null, 5, "wasm", [0, 1], BYTES.buffer, new DataView(BYTES.buffer), ...unprintable])
      expect(refusal({ mode: "exact" }, bytes)).toBe("INVALID_OPTIONS");
  });

  test("as options is INVALID_OPTIONS unless each can be one", () => {
    for (const options of [undefined, null, 5, "exact", {}, [], { mode: "fast" }, { mode: Symbol("m") }])
      expect(refusal(options)).toBe("INVALID_OPTIONS");
    for (const name of ["stackBytes", "memoryBytes", "tableElements"])
      for (const value of [null, NaN, -1, "5", ...unprintable])
        expect(refusal({ mode: "exact", [name]: value }), name).toBe("INVALID_OPTIONS");
    for (const name of ["checkImports", "offsetMap", "branchHints", "relaxedSimd", "now"])
      for (const value of [null, 1, "yes", ...unprintable])
        expect(refusal({ mode: "exact", [name]: value }), name).toBe("INVALID_OPTIONS");
    for (const limits of [null, 5, "x", Symbol("l")])
      expect(refusal({ mode: "exact", limits })).toBe("INVALID_OPTIONS");
  });

  test("as a limit is INVALID_OPTIONS unless it is a number, and an absent one has its default", () => {
    for (const name of Object.keys(defaultMeterLimits)) {
      for (const value of [null, NaN, -1, "5", ...unprintable])
        expect(refusal({ mode: "exact", limits: { [name]: value } }), name).toBe("INVALID_OPTIONS");
      expect(refusal({ mode: "exact", limits: { [name]: undefined } }), name).toBeUndefined();
    }
    const large = new Uint8Array(defaultMeterLimits.maxBytes + 1);
    expect(refusal({ mode: "exact", limits: { maxBytes: undefined } }, large)).toBe("WASM_TOO_LARGE");
  });
});
