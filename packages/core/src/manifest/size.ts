import { invalidOptions } from "../primitives/invalid-options.ts";

const UNITS: Readonly<Record<string, bigint>> = {
  B: 1n,
  KB: 1000n,
  MB: 1000n ** 2n,
  GB: 1000n ** 3n,
  TB: 1000n ** 4n,
  KiB: 1024n,
  MiB: 1024n ** 2n,
  GiB: 1024n ** 3n,
  TiB: 1024n ** 4n,
};

const SIZE = /^(\d{1,32})(?:\.(\d{1,64}))?(?: ?([A-Za-z]+))?$/;

/**
 * The bytes that a size such as `"64MiB"`, `"1.5 GB"` or `65536` means. Units are B, KB, MB, GB, TB (steps of 1000) and KiB, MiB, GiB,
 * TiB (steps of 1024); a number without one is bytes.
 * @throws KeelsonError `INVALID_OPTIONS` for anything else, for parts of a byte, and from 2^53 up
 */
export function parseSize(size: string | number): number {
  const bytes = readSize(size);
  if (typeof bytes === "number") return bytes;
  throw invalidOptions(bytes.message, bytes.hint);
}

/** Why something is no size. */
export interface SizeFault {
  readonly message: string;
  readonly hint: string;
}

/** {@link parseSize} without throwing. */
export function readSize(size: unknown): number | SizeFault {
  if (typeof size === "number") {
    return Number.isSafeInteger(size) && size >= 0
      ? size + 0
      : fault(`${size} is no size`, "a number means whole bytes");
  }
  if (typeof size !== "string") return fault(`${size === null ? "null" : typeof size} is no size`, EXAMPLE);
  const shown = JSON.stringify(size.length > 40 ? `${size.slice(0, 40)}…` : size);
  const match = SIZE.exec(size);
  if (match === null) return fault(`${shown} is no size`, EXAMPLE);
  const [, whole = "", fraction = "", unit = ""] = match;
  const factor = unit === "" ? 1n : Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
  if (factor === undefined) return fault(`${shown} has no unit of size`, unitHint(unit));
  // Exact: 0.1 has no end in binary, but 0.1 KB is 100 bytes.
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * factor;
  if (scaled % scale !== 0n)
    return fault(`${shown} is no whole number of bytes`, "round it, or use a smaller unit");
  const bytes = scaled / scale;
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER))
    return fault(`${shown} is more than any machine has`, "stay below 2^53 bytes");
  return Number(bytes);
}

const EXAMPLE = `write a number of bytes, or a text like "64MiB" with ${Object.keys(UNITS).join(", ")}`;

function unitHint(unit: string): string {
  const wanted = unit.toLowerCase();
  const near = Object.keys(UNITS).find(
    (known) => known.toLowerCase() === wanted || known.toLowerCase() === `${wanted}b`,
  );
  return near === undefined ? EXAMPLE : `did you mean ${near}?`;
}

function fault(message: string, hint: string): SizeFault {
  return { message, hint };
}
