import { asKeelsonError, KeelsonError } from "@keelson/core/plain";
import type { AbiProfile, ModuleShape } from "../abi/profile.ts";
import { type HostFunction, watchAnswers } from "../suspension/host-functions.ts";
import { isSuspending } from "../suspension/suspending.ts";
import type { EngineInstance, EngineModule, ImportValue, ImportValues, WantedImport } from "./engine.ts";
import type { GuestHost } from "./guest-host.ts";
import { isStackOverflow } from "../governor/overflow.ts";
import { trapError } from "./trap.ts";

/** What a host gives a guest besides what its profile provides: module → name → value, or a function that makes it for each instance. */
export type HostImports = ImportValues | ((host: GuestHost) => ImportValues);

/** The imports for one instance; holds only what the module asks for. The host's own go before the profile's. */
export function resolveImports(
  shape: ModuleShape,
  profile: AbiProfile,
  host: GuestHost,
  imports: HostImports | undefined,
): ImportValues {
  if (shape.imports.length === 0) return {};
  const own = typeof imports === "function" ? imports(host) : (imports ?? {});
  const provided = profile.imports(host);
  const out: ImportValues = {};
  const missing: WantedImport[] = [];
  for (const wanted of shape.imports) {
    const value = hostImport(own, wanted, shape, host.id) ?? profileImport(provided, wanted, host.id);
    if (value === undefined) missing.push(wanted);
    else {
      (out[wanted.module] ??= Object.create(null) as Record<string, ImportValue>)[wanted.name] = value;
    }
  }
  if (missing.length > 0) throw missingImports(missing, profile, host.id);
  return out;
}

/**
 * What the host itself gives for an import: a function is watched for promises, unless it was marked for them.
 * @throws KeelsonError `WASM_LINK` for another kind than is wanted
 */
export function hostImport(
  own: ImportValues,
  wanted: WantedImport,
  shape: ModuleShape,
  id: string,
): ImportValue | undefined {
  const value = watch(lookUp(own, wanted), wanted, shape, id);
  if (value !== undefined) requireKind(wanted, value, id);
  return value;
}

/** The host's own function, which must answer at once unless it was marked for it. */
function watch(
  value: ImportValue | undefined,
  { module, name, kind }: WantedImport,
  shape: ModuleShape,
  id: string,
): ImportValue | undefined {
  if (typeof value !== "function" || kind !== "function" || isSuspending(value)) return value;
  const place = `${module}.${name}`;
  return watchAnswers(value as HostFunction, shape.outline?.imports.get(place), { id, name: place });
}

function profileImport(provided: ImportValues, wanted: WantedImport, id: string): ImportValue | undefined {
  const value = lookUp(provided, wanted);
  if (value !== undefined) requireKind(wanted, value, id);
  return value;
}

function lookUp(imports: ImportValues, { module, name }: WantedImport): ImportValue | undefined {
  const names = Object.hasOwn(imports, module) ? imports[module] : undefined;
  return names !== undefined && Object.hasOwn(names, name) ? names[name] : undefined;
}

function requireKind(wanted: WantedImport, value: ImportValue, module: string): void {
  const found = kindOf(value);
  // A global may be given as a plain number.
  if (found === wanted.kind || (wanted.kind === "global" && found === "number")) return;
  throw new KeelsonError(
    "WASM_LINK",
    `${module}: the import ${wanted.module}.${wanted.name} must be a ${wanted.kind}, not a ${found}`,
    {
      hint: "give it in `imports` with the kind that the module declares",
      details: { import: `${wanted.module}.${wanted.name}`, wanted: wanted.kind, found },
    },
  );
}

function kindOf(value: unknown): string {
  if (typeof value === "function") return "function";
  if (typeof value === "number" || typeof value === "bigint") return "number";
  if (value instanceof WebAssembly.Memory) return "memory";
  if (value instanceof WebAssembly.Table) return "table";
  if (value instanceof WebAssembly.Global) return "global";
  if (value instanceof WebAssembly.Tag) return "tag";
  return value === null ? "null" : typeof value;
}

function missingImports(missing: readonly WantedImport[], profile: AbiProfile, module: string): KeelsonError {
  const names = missing.map(({ module, name, kind }) => `${module}.${name} (${kind})`);
  const shown =
    names.length > 10 ? `${names.slice(0, 10).join(", ")} and ${names.length - 10} more` : names.join(", ");
  return new KeelsonError("MISSING_IMPORT", `${module}: nobody provides ${shown}`, {
    hint: hintFor(missing, profile),
    details: {
      missing: missing.map(({ module, name, kind }) => ({ module, name, kind })),
      abi: profile.name,
    },
  });
}

/** Where imports of well-known names come from. The first that fits is told. */
const ORIGINS: readonly (readonly [RegExp, string])[] = [
  [
    /^wasi_(snapshot_preview1|unstable)\./,
    "it was built for WASI preview 1: build it for a bare wasm32 target, or give these functions in `imports`",
  ],
  [/^wasi:|^wasi_ephemeral/, "it is a part of a WASI component: the wasm kind runs core modules"],
  [
    /^extism:|^env\.extism_/,
    "it was built with an Extism plug-in kit, whose host functions the wasm kind does not have",
  ],
  [
    /^(wbg|__wbindgen)|^\.\/.*_bg\.js\./,
    "it was built with wasm-bindgen and needs the glue made with it: build it without, or give these in `imports`",
  ],
  [/^wasm:js-string\./, "it uses JavaScript string builtins, which are not provided"],
  [/^env\.gn_/, 'these belong to the profile gonext: declare `abi: "gonext"`'],
  [/^keelson\./, "the profile keelson provides keelson.log and keelson.panic"],
  [
    /^env\.seed$/,
    "AssemblyScript asks for `env.seed` when Math.random is used: give it in `imports`, or pass asc --use Math=JSMath",
  ],
];

function hintFor(missing: readonly WantedImport[], profile: AbiProfile): string {
  for (const [pattern, hint] of ORIGINS) {
    if (missing.some(({ module, name }) => pattern.test(`${module}.${name}`))) return hint;
  }
  const memory = missing.find(({ kind }) => kind === "memory");
  if (memory !== undefined) {
    return `give imports: () => ({ ${memory.module}: { ${memory.name}: new WebAssembly.Memory({ initial, maximum }) } }): a memory of its own for each instance`;
  }
  return `give them in \`imports\`, or declare the right \`abi\` (now ${profile.name})`;
}

/** Makes an instance; what goes wrong in linking, in allocation or in the start function is a KeelsonError. */
export function instantiate(module: EngineModule, imports: ImportValues, id: string): EngineInstance {
  try {
    return new WebAssembly.Instance(module, imports);
  } catch (error) {
    if (error instanceof WebAssembly.LinkError || error instanceof TypeError) {
      throw asKeelsonError(error, "WASM_LINK", `${id}: the engine refused the imports`, {
        hint: "an import has another type than the module declares",
      });
    }
    if (error instanceof RangeError && !isStackOverflow(error)) {
      throw asKeelsonError(error, "OUT_OF_MEMORY", `${id}: the engine could not allocate the instance`, {
        hint: "fewer instances, or a smaller memory; each memory reserves address space",
      });
    }
    throw trapError(error, { module: id, method: "start", starting: true, memoryBytes: 0 });
  }
}
