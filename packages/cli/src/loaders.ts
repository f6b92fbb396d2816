import type { ModuleLoader } from "@keelson/core";
import { createWasmLoader, wasmLoader, type Isolation } from "@keelson/wasm";

/** The options with the loaders of this package before the host's own, which go first where they take the same kind. */
export function withLoaders<T extends { readonly loaders?: readonly ModuleLoader[] | undefined }>(
  options: T,
): T {
  const { loaders = [] } = options ?? {};
  // What is no list, and what are no options, is the kernel's to refuse.
  if (options != null && typeof options !== "object") return options;
  return { ...options, loaders: Array.isArray(loaders) ? [wasmLoader, ...loaders] : loaders };
}

/** The loader of wasm plugins that are loaded one after the other, each with an isolation of its own. */
export interface IsolatingLoader extends ModuleLoader {
  /** For the next plugin. Undefined once it was heeded, or when nothing is asked for. */
  isolation: Isolation | undefined;
}

/** Makes one; until an isolation is asked for it loads as `wasmLoader` does. */
export function createIsolatingLoader(): IsolatingLoader {
  const loader: IsolatingLoader = {
    ...wasmLoader,
    isolation: undefined,
    load(manifest, base, platform) {
      const { isolation } = loader;
      loader.isolation = undefined;
      const chosen = isolation === undefined ? wasmLoader : createWasmLoader({ isolation });
      return chosen.load(manifest, base, platform);
    },
  };
  return loader;
}
