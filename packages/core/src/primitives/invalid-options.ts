import { KeelsonError, type ErrorDetails } from "../contract/errors.ts";
import { suggest } from "./suggest.ts";

/** The error for options that a host got wrong: which, what is wrong with it, and what to give instead. */
export function invalidOptions(message: string, hint: string, details?: ErrorDetails): KeelsonError {
  return new KeelsonError("INVALID_OPTIONS", message, { hint, details });
}

/** What somebody gave, for a message. Of objects and functions only that they are some: to print one runs code of its own, which may throw. */
export function shown(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}…` : value);
  const plain = value === null || (typeof value !== "object" && typeof value !== "function");
  return plain ? String(value) : `of type ${typeof value}`;
}

/** Whether `value` is an object, as options are. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Whether `signal` is absent or can be listened to. */
export function isSignal(signal: unknown): boolean {
  return signal == null || typeof (signal as AbortSignal).addEventListener === "function";
}

/** @throws KeelsonError `INVALID_OPTIONS` unless `given`, a platform or parts of one for `what`, has all of `ports` */
export function requirePorts(what: string, given: unknown, ...ports: readonly string[]): void {
  for (const port of ports) {
    if (isObject((given as Readonly<Record<string, unknown>> | undefined)?.[port])) continue;
    throw invalidOptions(
      `${what} needs a platform's ${port}`,
      "give what platform() of the runtime's adapter makes; its createKernel has it",
    );
  }
}

/** @throws KeelsonError `INVALID_OPTIONS` unless `value`, which messages call `what`, is a function */
export function requireFunction(what: string, value: unknown): void {
  if (typeof value !== "function") throw invalidOptions(`${what} is ${shown(value)}`, "give a function");
}

/** The least of numbers that must be above 0. */
export const above0: number = Number.MIN_VALUE;

/** Throws `INVALID_OPTIONS` unless `value` is a number from `min`, of which {@link above0} means above 0, to `max`: by default any that is finite. */
export function requireRange(
  name: string,
  value: unknown,
  min: number,
  max: number = Number.MAX_VALUE,
): void {
  if (typeof value === "number" && value >= min && value <= max) return;
  const least = min === above0 ? "above 0" : `at least ${min}`;
  const bounds = max < Number.MAX_VALUE ? `between ${min} and ${max}` : least;
  throw invalidOption(name, value, `a number ${bounds}`);
}

/** Throws `INVALID_OPTIONS` unless `value` is a whole number from `min`. */
export function requireWhole(name: string, value: unknown, min: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= min) return;
  throw invalidOption(name, value, `a whole number of at least ${min}`);
}

/** The error for the option `name`, which must be what `wanted` says. */
export function invalidOption(name: string, value: unknown, wanted: string): KeelsonError {
  return invalidOptions(
    `${name} must be ${wanted}, not ${shown(value)}`,
    `leave ${name} out for its default`,
    { option: name },
  );
}

/** What an option may be: a number of at least this ({@link above0} for above 0), of a type, one of a list, or anything (`true`): what is looked at elsewhere. */
export type Wanted = number | "boolean" | "function" | "object" | "string" | true | readonly string[];

/**
 * Throws `INVALID_OPTIONS` unless `options`, which messages call `what`, are absent or an object of nothing but what is `wanted`: a limit that was mistyped would
 * not hold. An option that is undefined is not given.
 *
 * @param max of all numbers; by default any that is finite
 */
export function requireOptions<T extends object>(
  what: string,
  options: T | null | undefined,
  wanted: Readonly<Record<keyof T, Wanted>>,
  max: number = Number.MAX_VALUE,
): void {
  if (options == null) return;
  if (!isObject(options))
    throw invalidOptions(`${what} is ${shown(options)}`, "give an object of options, or leave it out");
  const known = Object.keys(wanted) as (keyof T & string)[];
  for (const name of Object.keys(options)) {
    if (known.includes(name as keyof T & string)) continue;
    const near = suggest(name, known);
    throw invalidOptions(
      `${what} has no option ${shown(name)}`,
      near === undefined ? `the options are ${known.join(", ")}` : `did you mean ${near}?`,
      { option: `${what}.${name}` },
    );
  }
  for (const name of known) {
    const want = wanted[name];
    const value: unknown = options[name];
    if (value === undefined || want === true) continue;
    const fits =
      typeof want === "number"
        ? typeof value === "number" && value >= want && value <= max
        : typeof want === "string"
          ? typeof value === want && value !== null
          : want.includes(value as string);
    if (fits) continue;
    // Put together only now: calls are measured with options, too.
    const option = `${what}.${name}`;
    if (typeof want === "number") requireRange(option, value, want, max);
    else
      throw invalidOption(
        option,
        value,
        typeof want === "string" ? `of type ${want}` : `one of ${want.join(", ")}`,
      );
  }
}
