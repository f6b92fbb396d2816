import { suggest } from "@keelson/core";
import { invalidOptions, shown } from "../given.ts";
import { defaultMeterLimits, type MeterLimits } from "../meter/options.ts";
import type { WasmLimits, WasmModuleOptions } from "./options.ts";

const OPTIONS: readonly string[] = [
  "source",
  "manifest",
  "base",
  "id",
  "name",
  "version",
  "description",
  "abi",
  "pool",
  "limits",
  "metering",
  "scheduling",
  "state",
  "isolation",
  "imports",
  "integrity",
  "depends",
  "restart",
  "overlap",
  "deadlines",
  "interrupt",
  "quarantine",
  "offsets",
  "cache",
] satisfies readonly (keyof WasmModuleOptions)[];

/** A typing error must not mean "inline", or "kept between calls". @throws `INVALID_OPTIONS`, with the option that was meant */
export function requireKnownOptions(options: WasmModuleOptions): void {
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    const near = LIMITS.includes(name) ? `limits.${name}` : suggest(name, OPTIONS);
    throw invalidOptions(
      `wasmModule: there is no option ${shown(name)}`,
      near === undefined ? `the options are ${OPTIONS.join(", ")}` : `did you mean \`${near}\`?`,
    );
  }
}

const LIMITS: readonly string[] = [
  "memory",
  "instances",
  "fuel",
  "cpuMs",
  "stack",
  "process",
  "tableElements",
  "code",
] satisfies readonly (keyof WasmLimits)[];

/** A typing error must not mean "no limit". @throws `INVALID_OPTIONS`, with the limits that there are */
export function requireKnownLimits(limits: WasmLimits, id: string): void {
  for (const name of Object.keys(limits)) {
    if (LIMITS.includes(name)) continue;
    throw invalidOptions(
      `${id}: limits.${name} is not known`,
      name === "timeoutMs"
        ? "give it with each call, or in a manifest"
        : `the limits are ${LIMITS.join(", ")}`,
    );
  }
}

/** The limits of {@link MeterLimits} that were given. @throws `INVALID_OPTIONS` for one that there is not, or that is no whole number of at least 1 */
export function codeLimitsOf(code: Partial<MeterLimits> = {}, id: string): Partial<MeterLimits> {
  for (const [name, value] of Object.entries(code)) {
    if (!Object.hasOwn(defaultMeterLimits, name)) {
      throw invalidOptions(
        `${id}: limits.code.${name} is not known`,
        `the limits are ${Object.keys(defaultMeterLimits).join(", ")}`,
      );
    }
    requireWholeNumber(value, 1, `limits.code.${name}`, id);
  }
  return code;
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
