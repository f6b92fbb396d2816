import { invalidOptions, isObject, requireOptions, shown, type Wanted } from "@keelson/core/plain";
import { defaultMeterLimits, type MeterLimits, type MeterOptions } from "./options.ts";

const WANTED: Readonly<Record<keyof MeterOptions, Wanted>> = {
  mode: ["exact", "deadline"],
  stackBytes: 0,
  memoryBytes: 0,
  tableElements: 0,
  checkImports: "boolean",
  relaxedSimd: ["allow", "refuse"],
  offsetMap: "boolean",
  branchHints: "boolean",
  limits: "object",
  now: "function",
};
const LIMITS = Object.fromEntries(Object.keys(defaultMeterLimits).map((name) => [name, 0])) as Record<
  keyof MeterLimits,
  number
>;

/** @throws `INVALID_OPTIONS` for what is no bytes */
export function requireBytes(input: unknown): void {
  if (input instanceof Uint8Array) return;
  throw invalidOptions(
    `The module to meter is ${shown(input)}, and no bytes`,
    "give a Uint8Array; an ArrayBuffer becomes one by new Uint8Array(buffer)",
  );
}

/** @throws `INVALID_OPTIONS` naming the option that cannot be one */
export function requireMeterOptions(options: MeterOptions): void {
  if (!isObject(options))
    throw invalidOptions(
      `The meter's options are ${shown(options)}`,
      'give { mode: "exact" } or { mode: "deadline" }',
    );
  requireOptions("meter", options, WANTED, Infinity);
  if (options.mode === undefined)
    throw invalidOptions("The meter's mode is undefined", 'give { mode: "exact" } or { mode: "deadline" }');
}

/** The limits that hold: a missing one has its default. @throws `INVALID_OPTIONS` naming the one that is no number */
export function limitsOf(given: Partial<MeterLimits> | undefined): MeterLimits {
  requireOptions("meter.limits", given, LIMITS, Infinity);
  const limits: { -readonly [Name in keyof MeterLimits]: number } = { ...defaultMeterLimits };
  for (const name of Object.keys(defaultMeterLimits) as (keyof MeterLimits)[]) {
    limits[name] = given?.[name] ?? limits[name];
  }
  return limits;
}
