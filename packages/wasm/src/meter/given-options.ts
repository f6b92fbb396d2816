import { invalidOptions, isObject, shown } from "../given.ts";
import { defaultMeterLimits, type MeterLimits, type MeterOptions } from "./options.ts";

const NUMBERS = ["stackBytes", "memoryBytes", "tableElements"] as const;
const SWITCHES = ["checkImports", "offsetMap", "branchHints"] as const;

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
  const { mode, relaxedSimd, limits, now } = isObject(options) ? options : ({} as Partial<MeterOptions>);
  if (mode !== "exact" && mode !== "deadline")
    throw invalidOptions(
      `The meter's mode is ${shown(mode)}`,
      'give { mode: "exact" } or { mode: "deadline" }',
    );
  for (const name of NUMBERS) requireCount(name, options[name]);
  for (const name of SWITCHES) {
    const value = options[name];
    if (value !== undefined && typeof value !== "boolean")
      throw invalidOptions(`The meter's ${name} is ${shown(value)}`, "give true or false, or leave it out");
  }
  if (relaxedSimd !== undefined && relaxedSimd !== "allow" && relaxedSimd !== "refuse")
    throw invalidOptions(`The meter's relaxedSimd is ${shown(relaxedSimd)}`, 'give "allow" or "refuse"');
  if (now !== undefined && typeof now !== "function")
    throw invalidOptions(`The meter's now is ${shown(now)}`, "give a function that answers milliseconds");
  if (limits !== undefined && !isObject(limits))
    throw invalidOptions(`The meter's limits are ${shown(limits)}`, "give an object, or leave it out");
}

/** The limits that hold: a missing one has its default. @throws `INVALID_OPTIONS` naming the one that is no number */
export function limitsOf(given: Partial<MeterLimits> | undefined): MeterLimits {
  const limits: { -readonly [Name in keyof MeterLimits]: number } = { ...defaultMeterLimits };
  for (const name of Object.keys(defaultMeterLimits) as (keyof MeterLimits)[]) {
    requireCount(`limits.${name}`, given?.[name]);
    limits[name] = given?.[name] ?? limits[name];
  }
  return limits;
}

function requireCount(name: string, value: unknown): void {
  if (value === undefined || (typeof value === "number" && value >= 0)) return;
  throw invalidOptions(
    `The meter's ${name} is ${shown(value)}`,
    "give a number of at least 0, or leave it out",
  );
}
