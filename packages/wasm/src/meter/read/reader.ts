import { KeelsonError } from "@keelson/core/plain";

import type { MeterLimits } from "../options.ts";

/**
 * A cursor over the bytes of a module that an engine has validated. Past the end it throws `INVALID_WASM`, so that
 * an engine that accepts more than this decoder knows can make it fail, but never run on.
 */
export class Reader {
  readonly bytes: Uint8Array;
  at: number;
  end: number;

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    if (this.at >= this.end) throw truncated(this.at);
    return this.bytes[this.at++]!;
  }

  /** An unsigned LEB128 number of up to 32 bits, in as many bytes as were spent on it. */
  u32(): number {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
      shift += 7;
      if (shift > 28) {
        const last = this.byte();
        if (last > 0x0f) throw truncated(this.at);
        return (value | (last << 28)) >>> 0;
      }
    }
  }

  /** An unsigned LEB128 number of up to 64 bits; exact up to 2^53, beyond it only known to be large. */
  u64(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
      if (scale > 2 ** 63) throw truncated(this.at);
    }
  }

  /** A signed LEB128 number of up to 33 bits. */
  s33(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return byte & 0x40 ? value - scale : value;
      if (scale > 2 ** 35) throw truncated(this.at);
    }
  }

  /** Skips a LEB128 number of any size. */
  skipLeb(): void {
    while (this.byte() >= 0x80);
  }

  skip(count: number): void {
    if (count > this.end - this.at) throw truncated(this.at);
    this.at += count;
  }

  /** A copy-free view of the bytes from `from` to the cursor. */
  since(from: number): Uint8Array {
    return this.bytes.subarray(from, this.at);
  }
}

/** What is thrown when the bytes do not decode, which validation should have caught. */
export function truncated(at: number): KeelsonError {
  return new KeelsonError("INVALID_WASM", `the module does not decode at byte ${at}`, {
    hint: "build the module again; the file may be cut off",
    details: { offset: at },
  });
}

/** What is thrown for a feature that the meter does not know; never guessed, always named. */
export function unsupported(what: string, at: number): KeelsonError {
  return new KeelsonError("UNSUPPORTED_WASM", `the module uses ${what}, which cannot be metered`, {
    hint: "build the module without this feature",
    details: { feature: what, offset: at },
  });
}

const words: Readonly<Record<keyof MeterLimits, string>> = {
  maxBytes: "bytes",
  maxMeteredBytes: "bytes when metered",
  maxFunctions: "functions",
  maxExports: "exports",
  maxMemories: "memories",
  maxTables: "tables",
  maxInitializers: "elements and instructions of constants",
  maxFunctionBytes: "bytes in a function",
  maxLocals: "locals in a function",
  maxNesting: "nested blocks in a function",
  maxMergedValues: "values where ways meet in a function",
  maxCompileMs: "ms of validating, metering and compiling",
};

/** What is thrown when the module passes one of the limits on its size. */
export function tooLarge(option: keyof MeterLimits, found: number, limit: number): KeelsonError {
  const what = words[option];
  return new KeelsonError("WASM_TOO_LARGE", `the module has ${found} ${what}, the limit is ${limit}`, {
    hint: `make the module smaller, or raise the limit ${option}`,
    details: { option, what, found, limit },
  });
}

/** Metered, something would pass what engines accept, which no option can raise: `WASM_TOO_LARGE`. */
export function tooLargeForEngines(option: keyof MeterLimits, found: number, limit: number): KeelsonError {
  const what = words[option];
  return new KeelsonError(
    "WASM_TOO_LARGE",
    `metered, the module would have ${found} ${what}, and engines accept ${limit}`,
    { hint: "divide the largest function into smaller ones", details: { option, what, found, limit } },
  );
}

/** Metered, the module would need too many functions of the meter's own, which no option can raise: `WASM_TOO_LARGE`. */
export function tooManyOwnFunctions(limit: number): KeelsonError {
  const what = "functions of the meter's own";
  return new KeelsonError(
    "WASM_TOO_LARGE",
    `metered, the module would need more than ${limit} ${what}: one for each pair of tables, memories and segments that its bulk instructions name`,
    { hint: "build the module with fewer tables, memories and segments", details: { what, limit } },
  );
}
