import { KeelsonError, type ModuleLoader } from "@keelson/core";
import { invalidOptions, isObject, shown } from "../given.ts";
import { compileCacheOf } from "../cache/compile-cache.ts";
import type { WasmModuleOptions } from "./options.ts";
import { wasmModule } from "./wasm-module.ts";

/**
 * Options of {@link createWasmLoader}: what all modules that it loads get, whatever their manifests say. They share one `cache`, when that or its options are given:
 * `createWasmLoader({ cache: { folder: "./cache" } })`; else each has its own.
 */
export type WasmLoaderOptions = Pick<
  WasmModuleOptions,
  | "pool"
  | "limits"
  | "state"
  | "scheduling"
  | "metering"
  | "isolation"
  | "imports"
  | "quarantine"
  | "cache"
  | "deadlines"
>;

/**
 * A loader for the kind `wasm`: manifests with an `entry`, and bare `.wasm` files, which are granted nothing and get 64 MiB of memory
 * and 50 ms of running time a call.
 */
export function createWasmLoader(options?: WasmLoaderOptions): ModuleLoader {
  if (options != null && !isObject(options)) {
    throw invalidOptions(
      `createWasmLoader: the options are ${shown(options)}`,
      "give an object, such as { pool: { max: 4 } }, or leave it out",
    );
  }
  const shared =
    options?.cache === undefined ? options : { ...options, cache: compileCacheOf(options.cache) };
  return {
    kind: "wasm",
    extensions: [".wasm"],
    verifiesIntegrity: true,
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
      return wasmModule({ ...shared, manifest, base });
    },
  };
}

/** The loader for the kind `wasm` with default options. */
export const wasmLoader: ModuleLoader = createWasmLoader();
