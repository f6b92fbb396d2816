import { given, invalidOptions, requireOptions, shown, type Wanted } from "@keelson/core/plain";
import { defaultMeterLimits, type MeterLimits } from "../meter/options.ts";
import type { WasmLimits, WasmModuleOptions } from "./options.ts";

const OPTIONS: Readonly<Record<keyof WasmModuleOptions, Wanted>> = {
  source: true,
  manifest: true,
  base: true,
  id: true,
  name: "string",
  version: "string",
  description: "string",
  abi: true,
  pool: true,
  limits: true,
  metering: true,
  scheduling: true,
  state: true,
  isolation: true,
  imports: true,
  integrity: "string",
  depends: true,
  restart: true,
  overlap: "boolean",
  deadlines: true,
  interrupt: true,
  quarantine: true,
  offsets: "boolean",
  cache: true,
};

/** A typing error must not mean "inline", or "kept between calls". @throws `INVALID_OPTIONS`, with the option that was meant */
export function requireKnownOptions(options: WasmModuleOptions): void {
  const limit = Object.keys(options).find(
    (name) => !Object.hasOwn(OPTIONS, name) && Object.hasOwn(LIMITS, name),
  );
  if (limit !== undefined)
    throw invalidOptions(`wasmModule has no option ${shown(limit)}`, `did you mean limits.${limit}?`);
  requireOptions("wasmModule", options, OPTIONS);
}

/** The options that a host has for a plugin whose code its manifest names. @throws `INVALID_OPTIONS` for any other */
export function requireHostOptions(
  options: Omit<WasmModuleOptions, "source" | "manifest" | "base"> | undefined,
): void {
  const { source: _, manifest: __, base: ___, ...wanted } = OPTIONS;
  requireOptions("readWasmModule", options, wanted);
}

const LIMITS: Readonly<Record<keyof WasmLimits, true>> = {
  memory: true,
  instances: true,
  fuel: true,
  cpuMs: true,
  stack: true,
  process: true,
  tableElements: true,
  code: true,
};

/** Neither a typing error nor a null must mean "no limit". @throws `INVALID_OPTIONS`, with the limit that was meant, or those that there are */
export function requireKnownLimits(limits: WasmLimits, id: string): void {
  for (const [name, value] of Object.entries(limits)) {
    if (value === null) throw invalidOptions(`${id}: limits.${name} is null`, "leave it out for its default");
    if (name === "timeoutMs")
      throw invalidOptions(`${id}: limits.${name} is not known`, "give it with each call, or in a manifest");
  }
  requireOptions(`${id}: limits`, limits, LIMITS);
}

const CODE_LIMITS = Object.fromEntries(
  Object.keys(defaultMeterLimits).map((name) => [name, true]),
) as Readonly<Record<keyof MeterLimits, true>>;

/** The limits of {@link MeterLimits} that were given. @throws `INVALID_OPTIONS` for one that there is not, or that is no whole number of at least 1 */
export function codeLimitsOf(code: Partial<MeterLimits> = {}, id: string): Partial<MeterLimits> {
  requireOptions(`${id}: limits.code`, code, CODE_LIMITS);
  for (const [name, value] of Object.entries(code)) {
    if (value !== undefined) requireWholeNumber(value, 1, `limits.code.${name}`, id);
  }
  return given(code);
}

/** @throws `INVALID_OPTIONS` unless `value` is a whole number of at least `min`; `name` is what the message calls it */
export function requireWholeNumber(value: number, min: number, name: string, id: string): void {
  if (Number.isSafeInteger(value) && value >= min) return;
  throw invalidOptions(
    `${id}: ${name} must be a whole number of at least ${min}, not ${shown(value)}`,
    typeof value === "string"
      ? "sizes are bytes here, such as 64 * 2 ** 20; texts such as 64MiB are for manifests"
      : "correct it, or leave it out for its default",
  );
}
