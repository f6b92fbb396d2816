import { invalidOptions } from "../primitives/invalid-options.ts";
import type { ModuleDefinition } from "../contract/module.ts";
import type { QuarantineOptions } from "../contract/quarantine.ts";
import { isModuleId, isRange, isVersion } from "../manifest/index.ts";
import { MODULE_ID_RULE } from "../manifest/version.ts";

/**
 * Checks what a host registers, so that nothing malformed gets further.
 * @throws KeelsonError `INVALID_OPTIONS` naming the field
 */
export function checkDefinition(definition: ModuleDefinition): void {
  const { metadata, depends, deadlines, restart } = definition ?? {};
  if (typeof metadata !== "object" || metadata === null || typeof definition.create !== "function") {
    throw invalidOptions(
      "A module definition needs metadata and create()",
      "make one with nativeModule(), wasmModule() or processModule()",
    );
  }
  const { id, version, kind, name } = metadata;
  if (!isModuleId(id)) {
    throw invalidOptions(`${quote(id)} is no module id`, `use ${MODULE_ID_RULE}`);
  }
  if (!isVersion(version))
    throw invalidOptions(`Module "${id}": ${quote(version)} is no semantic version`, 'write it like "1.2.3"');
  if (typeof kind !== "string" || kind === "")
    throw invalidOptions(`Module "${id}" has no kind`, 'such as "native"');
  if (typeof name !== "string")
    throw invalidOptions(`Module "${id}" has no name`, "give it a name for people to read");
  if (depends != null) checkDepends(id, depends);
  if (deadlines != null)
    for (const [key, ms] of Object.entries(deadlines)) checkMs(id, `deadlines.${key}`, ms);
  if (restart != null) checkRestart(id, restart);
  checkQuarantine(`Module "${id}"`, definition.quarantine);
}

function checkDepends(id: string, depends: NonNullable<ModuleDefinition["depends"]>): void {
  for (const [other, range] of Object.entries(depends)) {
    if (!isModuleId(other))
      throw invalidOptions(
        `Module "${id}" depends on ${quote(other)}, which is no module id`,
        "write the id of a module",
      );
    if (other === id) throw invalidOptions(`Module "${id}" depends on itself`, "remove that dependency");
    if (!isRange(range))
      throw invalidOptions(
        `Module "${id}": ${quote(range)} is no version range`,
        'write it like "^1.2.0" or "*"',
      );
  }
}

function checkRestart(id: string, restart: NonNullable<ModuleDefinition["restart"]>): void {
  const { policy, intensity, backoff, health } = restart;
  if (policy !== undefined && !["never", "on-failure", "always"].includes(policy)) {
    throw invalidOptions(
      `Module "${id}": ${quote(policy)} is no restart policy`,
      'use "never", "on-failure" or "always"',
    );
  }
  for (const [group, numbers] of Object.entries({ intensity, backoff, health })) {
    for (const [key, value] of Object.entries(numbers ?? {})) checkMs(id, `restart.${group}.${key}`, value);
  }
}

/** Checks what `owner` says of quarantine: a number of stops of at least 1, times above 0. */
export function checkQuarantine(owner: string, quarantine: QuarantineOptions | false | undefined): void {
  if (quarantine === undefined || quarantine === false) return;
  if (typeof quarantine !== "object" || quarantine === null)
    throw invalidOptions(`${owner}: quarantine is ${quote(quarantine)}`, "give options, or false for none");
  for (const [key, value] of Object.entries(quarantine) as [string, unknown][]) {
    if (value === undefined) continue;
    const least = key === "minRunMs" ? 0 : key === "stops" ? 1 : Number.MIN_VALUE;
    const fits = typeof value === "number" && value >= least && (key !== "stops" || Number.isInteger(value));
    if (!fits)
      throw invalidOptions(
        `${owner}: quarantine.${key} is ${quote(value)}`,
        "give a positive number; stops is whole",
      );
  }
}

function checkMs(id: string, what: string, value: unknown): void {
  if (typeof value === "number" && value >= 0) return;
  throw invalidOptions(`Module "${id}": ${what} is ${quote(value)}`, "give a number of 0 or more");
}

function quote(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
