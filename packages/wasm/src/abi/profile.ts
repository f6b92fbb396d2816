import type { Value } from "@keelson/core";
import { KeelsonError } from "@keelson/core/plain";
import { printType, type FunctionType, type Outline } from "../binary/outline.ts";
import type {
  EngineModule,
  ExportValue,
  ExternKind,
  ImportValues,
  WantedImport,
} from "../instance/engine.ts";
import type { GuestHost } from "../instance/guest-host.ts";

/** What a module offers, before anything of it runs. */
export interface ModuleShape {
  readonly exports: ReadonlyMap<string, ExternKind>;
  readonly imports: readonly WantedImport[];
  /** Types of functions, where they could be read. */
  readonly outline: Outline | undefined;
}

/** An export without which a profile cannot work. */
export interface RequiredExport {
  readonly name: string;
  readonly kind: "function" | "memory";
  readonly type?: FunctionType;
}

/** A running instance as a profile sees it. */
export interface Guest {
  readonly exports: Record<string, ExportValue>;
  readonly host: GuestHost;
  readonly shape: ModuleShape;
}

/** A running instance whose guest may be suspended, as a profile sees it. */
export interface LaterGuest extends Guest {
  /** An export of the guest as one that answers by promise, during which the guest may be suspended. */
  later<A extends readonly unknown[], R>(run: (...args: A) => R): (...args: A) => Promise<R>;
}

/** The calls of one instance whose guest may be suspended. */
export interface LaterBinding {
  call(method: string, payload: Value): Promise<Value>;
}

/** The calls of one instance. */
export interface Binding {
  call(method: string, payload: Value): Value;
}

/**
 * How a core module's exports are called: one small object for each convention. A host may give its own as the option `abi`.
 * A profile sets `host.entered` around each call of an export and `host.broken` when the guest broke the convention.
 */
export interface AbiProfile {
  readonly name: string;
  /** Whether a module without a declared profile is meant for this one. */
  matches(shape: ModuleShape): boolean;
  readonly requires: readonly RequiredExport[];
  /** Imports that the profile provides, module → name → value; only those that a module asks for are linked. */
  imports(host: GuestHost): ImportValues;
  /** Called once an instance, after its start function. */
  bind(guest: Guest): Binding;
  /**
   * The same for a guest that may be suspended, after {@link AbiProfile.bind}; each export is called by `later`. Absent: the profile serves no
   * asynchronous host functions and no time slices.
   */
  bindLater?(guest: LaterGuest): LaterBinding;
}

/** The shape of a compiled module, without the exports in `hidden`. */
export function shapeOf(
  module: EngineModule,
  outline: Outline | undefined,
  hidden: ReadonlySet<string> = new Set(),
): ModuleShape {
  const exports = new Map<string, ExternKind>();
  for (const { name, kind } of WebAssembly.Module.exports(module))
    if (!hidden.has(name)) exports.set(name, kind);
  return { exports, imports: WebAssembly.Module.imports(module), outline };
}

/** Refuses a module that lacks what `profile` requires; `MISSING_EXPORT` names all of it. */
export function requireExports(profile: AbiProfile, shape: ModuleShape, module: string): void {
  const lacking = missingExports(profile, shape);
  if (lacking.length === 0) return;
  throw new KeelsonError(
    "MISSING_EXPORT",
    `${module}: the ABI profile ${profile.name} needs ${lacking.join("; ")}`,
    {
      hint: `export what is missing, or declare another profile as \`abi\`; the module exports ${listExports(shape)}`,
      details: { abi: profile.name, missing: lacking },
    },
  );
}

/** The exports that `profile` requires and that a module lacks or has with another type, in words. */
export function missingExports(profile: AbiProfile, shape: ModuleShape): string[] {
  return profile.requires.flatMap((wanted) => lack(wanted, shape));
}

function lack(wanted: RequiredExport, shape: ModuleShape): string[] {
  const text =
    wanted.type === undefined
      ? `the ${wanted.kind} ${wanted.name}`
      : `${wanted.name}${printType(wanted.type)}`;
  const kind = shape.exports.get(wanted.name);
  if (kind === undefined) return [text];
  if (kind !== wanted.kind) return [`${text}, but that export is a ${kind}`];
  const type = shape.outline?.exports.get(wanted.name);
  if (type === undefined || wanted.type === undefined) return [];
  const found = printType(type);
  return found === printType(wanted.type) ? [] : [`${text}, but its type is ${found}`];
}

/** The exports of a module for a message, the first ones by name. */
export function listExports(shape: ModuleShape): string {
  const names = [...shape.exports.keys()];
  if (names.length === 0) return "nothing";
  return names.length > 12
    ? `${names.slice(0, 12).join(", ")} and ${names.length - 12} more`
    : names.join(", ");
}

/** A type, for tables of required exports. */
export function functionType(params: FunctionType["params"], results: FunctionType["results"]): FunctionType {
  return { params, results };
}

/** The error for a method that the guest does not have. */
export function unknownMethod(module: string, method: string, known: readonly string[]): KeelsonError {
  const some =
    known.length > 12 ? `${known.slice(0, 12).join(", ")} and ${known.length - 12} more` : known.join(", ");
  return new KeelsonError("UNKNOWN_METHOD", `${module} has no method ${JSON.stringify(method)}`, {
    ...(known.length > 0 ? { hint: `it has ${some}` } : {}),
    details: { module, method },
  });
}
