import type { CallHandler } from "../contract/call.ts";
import { asKeelsonError, KeelsonError } from "../contract/errors.ts";
import type { Manifest } from "../contract/manifest.ts";
import type { Module, ModuleDefinition, ModuleLoader, ModuleMetadata } from "../contract/module.ts";
import { requireModule } from "../lifecycle/failures.ts";
import { given } from "../primitives/given.ts";
import {
  invalidOptions,
  isObject,
  requireFunction,
  requireOptions,
  shown,
} from "../primitives/invalid-options.ts";

/** Options of {@link nativeModule}. */
export interface NativeModuleOptions extends Omit<ModuleDefinition, "metadata" | "create" | "manifest"> {
  readonly id: string;
  /** Default: the id. */
  readonly name?: string | undefined;
  /** Default "0.0.0". */
  readonly version?: string | undefined;
  readonly description?: string | undefined;
  /** One handler a method. A call of any other method is `UNKNOWN_METHOD`. */
  readonly methods?: Readonly<Record<string, CallHandler>> | undefined;
  /** The module's own functions, as in {@link Module}; all generations share them. */
  readonly init?: Module["init"];
  readonly start?: Module["start"];
  readonly stop?: Module["stop"];
  readonly health?: Module["health"];
  /** Makes each generation, for modules with state of their own; what it returns goes before the functions given here. */
  readonly create?: (() => Module | Promise<Module>) | undefined;
}

// The rest is what definitions have, and is looked at where they are registered.
const NATIVE_OPTIONS = {
  id: true,
  name: true,
  version: true,
  description: "string",
  methods: true,
  init: "function",
  start: "function",
  stop: "function",
  health: "function",
  create: "function",
  depends: true,
  restart: true,
  overlap: true,
  deadlines: true,
  quarantine: true,
} as const;

/**
 * A module in the host's own language and thread. It is trusted: nothing stops its loops, and what it throws outside of a call, in a
 * timer or an unawaited promise, reaches the runtime's own handler and ends the host unless the host handles it there.
 * @throws KeelsonError `INVALID_OPTIONS` for what is no options at all; the rest is left to register()
 */
export function nativeModule(options: NativeModuleOptions): ModuleDefinition {
  if (!isObject(options) || !isObject(options.methods ?? {})) {
    throw invalidOptions(
      "nativeModule needs options, and methods that are an object",
      'such as { id: "greet", methods: { hello: () => "hello" } }',
    );
  }
  requireOptions("nativeModule", options, NATIVE_OPTIONS);
  for (const [name, handler] of Object.entries(options.methods ?? {}))
    requireFunction(`The method ${shown(name)}`, handler);
  const {
    id,
    name = id,
    version = "0.0.0",
    description,
    methods,
    init,
    start,
    stop,
    health,
    create,
    ...rest
  } = options;
  const metadata: ModuleMetadata =
    description === undefined
      ? { id, name, version, kind: "native" }
      : { id, name, version, kind: "native", description };
  // Assigned one by one: thousands of modules are registered at once.
  const parts: { -readonly [Part in keyof Module]: Module[Part] } = {};
  if (init !== undefined) parts.init = init;
  if (start !== undefined) parts.start = start;
  if (stop !== undefined) parts.stop = stop;
  if (health !== undefined) parts.health = health;
  if (methods != null) parts.call = callerOf(id, new Map(Object.entries(methods)));
  return {
    ...rest,
    metadata,
    create:
      create === undefined
        ? () => parts
        : async () => ({ ...parts, ...bound(requireModule(id, await create())) }),
  };
}

function callerOf(id: string, table: ReadonlyMap<string, CallHandler>): CallHandler {
  return (call) => {
    const handler = table.get(call.method);
    if (handler === undefined) throw unknownMethod(id, call.method, [...table.keys()]);
    return handler(call);
  };
}

const PARTS = [
  "init",
  "start",
  "stop",
  "call",
  "record",
  "stream",
  "health",
  "refuseWaiting",
  "relieve",
  "stopReportMs",
] as const satisfies readonly (keyof Module)[];

/** The parts of a module that may be a class, its functions bound to it. */
function bound(module: Module): Module {
  const result: Record<string, unknown> = {};
  for (const part of PARTS) {
    const member: unknown = module[part];
    if (member !== undefined) result[part] = typeof member === "function" ? member.bind(module) : member;
  }
  return result;
}

function unknownMethod(id: string, method: string, methods: readonly string[]): KeelsonError {
  return new KeelsonError("UNKNOWN_METHOD", `Module "${id}" has no method ${shown(method)}`, {
    hint: `it has ${methods.join(", ") || "none"}`,
    details: { id, method, methods },
  });
}

/**
 * Loads manifests of kind native: the entry is a JavaScript module of the host's runtime whose default export is a Module, a function that
 * makes one, or the options of {@link nativeModule} without id and version. It runs with all the host's powers.
 */
export const nativeLoader: ModuleLoader = {
  kind: "native",
  extensions: [".js", ".mjs", ".ts", ".mts"],
  async load(manifest: Manifest, base: URL) {
    const { id, name, version, description, entry = "", depends, restart, overlap } = manifest;
    const url = new URL(entry, base);
    let exported: unknown;
    try {
      exported = ((await import(url.href)) as { default?: unknown }).default;
    } catch (error) {
      throw asKeelsonError(error, "MODULE_FAILED", `The entry of "${id}" could not be imported`, {
        hint: "the entry must be JavaScript that this runtime can import by itself; the cause says where it failed",
        details: { id, entry },
      });
    }
    if (typeof exported !== "function" && (typeof exported !== "object" || exported === null)) {
      throw new KeelsonError("INVALID_MANIFEST", `The entry of "${id}" has no usable default export`, {
        hint: "export default a module object, or a function that makes one",
        details: { id, entry },
      });
    }
    const create = typeof exported === "function" ? (exported as () => Module | Promise<Module>) : undefined;
    const options = (create === undefined ? exported : { create }) as Partial<NativeModuleOptions> & Module;
    const { methods, init, start, stop, health, deadlines, quarantine } = { ...options };
    return nativeModule({
      // It may be a module with fields of its own, which are no options.
      ...given({ methods, init, start, stop, health, deadlines, quarantine }),
      id,
      name,
      version,
      // What the manifest says of the module goes before what its code says of itself.
      depends: { ...options.depends, ...depends },
      // It may be an object of a class, whose functions a copy would lack.
      create: options.create ?? (() => options),
      ...given({
        description: description ?? options.description,
        restart: restart ?? options.restart,
        overlap: overlap ?? options.overlap,
      }),
    });
  },
};
