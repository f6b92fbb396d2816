import { isObject } from "../primitives/invalid-options.ts";

/** A rule that joins several keys, broken. */
export interface KindFault {
  readonly path: readonly string[];
  readonly message: string;
}

/**
 * What the kind of a module asks of the other keys. Looks at the raw value, so that it is told together with what else is wrong.
 * Kinds that are not built in are the business of their loaders.
 */
export function kindFaults(value: unknown): readonly KindFault[] {
  if (value === null) return [];
  const faults: KindFault[] = [];
  const { id, kind, depends } = value as Readonly<Record<string, unknown>>;
  const has = (key: string): boolean => Object.hasOwn(value as object, key);
  const fault = (message: string, ...path: string[]): void => void faults.push({ path, message });
  if (typeof id === "string" && isObject(depends) && Object.hasOwn(depends, id)) {
    fault("is the module itself, which cannot wait for itself", "depends", id);
  }
  if (kind === "process") {
    if (!has("command")) fault("is missing: a process module needs a program to run", "command");
    if (has("entry")) fault("is not for process modules: they have a command", "entry");
  } else if (kind === "native" || kind === "wasm") {
    if (!has("entry")) fault(`is missing: a ${kind} module needs the path of its code`, "entry");
    for (const key of ["command", "env", "health"])
      if (has(key)) fault(`is only for process modules, this one is ${kind}`, key);
  }
  if (has("settings") && (kind === "native" || kind === "wasm" || kind === "process"))
    fault(`is for kinds with a loader of their own, this one is ${kind}`, "settings");
  if (has("abi") && (kind === "native" || kind === "process")) {
    fault(`is only for wasm modules, this one is ${kind}`, "abi");
  }
  return faults;
}
