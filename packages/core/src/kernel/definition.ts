import { asKeelsonError, type KeelsonError, withDetails } from "../contract/errors.ts";
import {
  above0,
  invalidOptions,
  isObject,
  requireOptions,
  requireWhole,
  shown,
} from "../primitives/invalid-options.ts";
import { parseRestart } from "../supervisor/index.ts";
import type { ModuleDefinition } from "../contract/module.ts";
import type { QuarantineOptions } from "../contract/quarantine.ts";
import { isModuleId, isRange, isVersion } from "../manifest/index.ts";
import { MODULE_ID_RULE } from "../manifest/version.ts";

/**
 * Checks what a host registers, so that nothing malformed gets further.
 * @throws KeelsonError `INVALID_OPTIONS` naming the field
 */
export function checkDefinition(definition: ModuleDefinition): void {
  const { metadata, depends, deadlines, restart, manifest, quarantine, overlap } = definition ?? {};
  if (!isObject(metadata) || typeof definition.create !== "function") {
    throw invalidOptions(
      "A module definition needs metadata and create()",
      "make one with nativeModule(), wasmModule() or processModule()",
    );
  }
  const { id, version, kind, name } = metadata;
  if (!isModuleId(id)) {
    throw invalidOptions(`${shown(id)} is no module id`, `use ${MODULE_ID_RULE}`);
  }
  if (!isVersion(version))
    throw refused(id, `${shown(version)} is no semantic version`, 'write it like "1.2.3"');
  if (typeof kind !== "string" || kind === "") throw refused(id, "it has no kind", 'such as "native"');
  if (typeof name !== "string") throw refused(id, "it has no name", "give it a name for people to read");
  checkObject(id, "depends", depends);
  checkObject(id, "deadlines", deadlines);
  checkObject(id, "restart", restart);
  if (depends !== undefined) checkDepends(id, depends);
  try {
    requireOptions("deadlines", deadlines, { initMs: 0, startMs: 0, stopMs: 0 }, Infinity);
    if (restart !== undefined) parseRestart(restart);
    checkQuarantine("quarantine", quarantine);
  } catch (error) {
    throw withDetails(
      asKeelsonError(error, "INVALID_OPTIONS", "it cannot be read"),
      { id },
      `Module "${id}"`,
    );
  }
  if (manifest !== undefined && !(isObject(manifest?.limits) && Array.isArray(manifest.hooks))) {
    throw refused(id, "its manifest is none", "give what parseManifest() answers, or leave it out");
  }
  if (overlap !== undefined && typeof overlap !== "boolean")
    throw refused(id, `overlap is ${shown(overlap)}`, "give true or false, or leave it out");
}

function refused(id: string, what: string, hint: string): KeelsonError {
  return invalidOptions(`Module "${id}": ${what}`, hint);
}

function checkObject(id: string, key: string, value: unknown): void {
  if (value === undefined || isObject(value)) return;
  throw refused(id, `${key} is ${shown(value)}`, "give an object, or leave it out");
}

function checkDepends(id: string, depends: NonNullable<ModuleDefinition["depends"]>): void {
  for (const [other, range] of Object.entries(depends)) {
    if (!isModuleId(other))
      throw refused(id, `it depends on ${shown(other)}, which is no module id`, "write the id of a module");
    if (other === id) throw refused(id, "it depends on itself", "remove that dependency");
    if (!isRange(range))
      throw refused(id, `${shown(range)} is no version range`, 'write it like "^1.2.0" or "*"');
  }
}

/** Checks the options of a quarantine, which messages call `what`. */
export function checkQuarantine(what: string, quarantine: QuarantineOptions | false | undefined): void {
  if (quarantine === undefined || quarantine === false) return;
  if (!isObject(quarantine))
    throw invalidOptions(`${what} is ${shown(quarantine)}`, "give options, or false for none");
  const wanted = { stops: 1, withinMs: above0, initialMs: above0, maxMs: above0, minRunMs: 0 };
  requireOptions(what, quarantine, wanted, Infinity);
  if (quarantine.stops !== undefined) requireWhole(`${what}.stops`, quarantine.stops, 1);
}
