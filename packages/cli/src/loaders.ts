import type { ModuleLoader } from "@keelson/core";
import { wasmLoader } from "@keelson/wasm";

/** The options with the loaders of this package before the host's own, which go first where they take the same kind. */
export function withLoaders<T extends { readonly loaders?: readonly ModuleLoader[] }>(options: T): T {
  return { ...options, loaders: [wasmLoader, ...(options.loaders ?? [])] };
}
