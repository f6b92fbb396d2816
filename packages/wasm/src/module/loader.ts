import { KeelsonError, type ModuleLoader } from "@keelson/core";
import type { CompileCache } from "../cache/compile-cache.ts";
import { wasmModule } from "./wasm-module.ts";

/** Options of {@link createWasmLoader}. */
export interface WasmLoaderOptions {
  /** Shared by all modules that the loader loads. Default: each module has its own. */
  readonly cache?: CompileCache;
}

/**
 * A loader for the kind `wasm`: manifests with an `entry`, and bare `.wasm` files, which are granted nothing and get 64 MiB of memory.
 */
export function createWasmLoader(options: WasmLoaderOptions = {}): ModuleLoader {
  const { cache } = options;
  return {
    kind: "wasm",
    extensions: [".wasm"],
    async load(manifest, base) {
      if (manifest.entry === undefined) {
        throw new KeelsonError(
          "INVALID_MANIFEST",
          `${manifest.id}: a manifest of the kind wasm needs an entry`,
          {
            hint: "name the .wasm file, relative to the manifest, as `entry`",
          },
        );
      }
      return wasmModule({ manifest, base, ...(cache === undefined ? {} : { cache }) });
    },
  };
}

/** The loader for the kind `wasm` with default options. */
export const wasmLoader: ModuleLoader = createWasmLoader();
