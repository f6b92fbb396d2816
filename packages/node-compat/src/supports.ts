/** A feature and why it is missing; undefined means that it is there. */
export type Missing = Readonly<Record<string, string | undefined>>;

/** Turns a list of what is missing into the two tables of a platform. */
export function supportsOf(missing: Missing): {
  readonly supports: Readonly<Record<string, boolean>>;
  readonly reasons: Readonly<Record<string, string>>;
} {
  const supports: Record<string, boolean> = {};
  const reasons: Record<string, string> = {};
  for (const [feature, reason] of Object.entries(missing)) {
    supports[feature] = reason === undefined;
    if (reason !== undefined) reasons[feature] = reason;
  }
  return { supports: Object.freeze(supports), reasons: Object.freeze(reasons) };
}

/** `(module (memory i64 1))`: an engine without 64-bit memories does not take it. */
const MEMORY64 = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 4, 1);

interface Engine {
  validate?(bytes: Uint8Array): boolean;
  readonly Suspending?: unknown;
  readonly promising?: unknown;
}

/** What the engine can do, tried out rather than looked up. */
export function engineFeatures(): Missing {
  const engine = (globalThis as { readonly WebAssembly?: Engine }).WebAssembly;
  const none = "this engine has no WebAssembly";
  return {
    wasm: engine === undefined ? none : undefined,
    wasmMemory64: engine?.validate?.(MEMORY64) ? undefined : "this engine refuses 64-bit memories",
    jspi:
      typeof engine?.Suspending === "function" && typeof engine.promising === "function"
        ? undefined
        : "this engine has no WebAssembly.Suspending",
    sharedMemory:
      typeof SharedArrayBuffer === "function" ? undefined : "this engine has no SharedArrayBuffer",
    workers: undefined, // every one of these runtimes has threads; permissions may take them away
  };
}
