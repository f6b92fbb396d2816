import { asKeelsonError, isKeelsonError, KeelsonError, type Bytes, type MaybePromise } from "@keelson/core";
import { readOutline, type Outline } from "../binary/outline.ts";
import { MalformedBinary, readSections } from "../binary/reader.ts";
import { requireCoreModule } from "../binary/sniff.ts";
import { sha256, toHex } from "./digest.ts";

/** A module that the engine has accepted. */
export interface CompiledModule {
  readonly module: WebAssembly.Module;
  /** Types of imports and exports; undefined when only the compiled module was given, or its types could not be read. */
  readonly outline: Outline | undefined;
  /** What the steps had to say about what they made, by their `key`. */
  readonly notes: ReadonlyMap<string, unknown>;
}

/** Bytes that a step has changed, with something to be kept beside the module made of them. */
export interface ChangedBinary {
  readonly bytes: Bytes;
  readonly note: unknown;
}

/**
 * A change made to a module's bytes before they are compiled. Memory is capped and guests are metered by such steps.
 * `key` names the change with all its options: it is a part of the cache's key.
 */
export interface BinaryStep {
  readonly key: string;
  /** Must never make an invalid module valid: a step that appends validates the original first. */
  apply(bytes: Bytes, origin: string): MaybePromise<Bytes | ChangedBinary>;
}

/** Compiled modules by the SHA-256 of their bytes and the steps applied to them. Safe to share between modules and kernels. */
export interface CompileCache {
  /**
   * Compiles, or finds what was compiled before. Compilations of the same bytes at the same time are joined; failures are not kept.
   *
   * @throws KeelsonError `INVALID_WASM`, `UNSUPPORTED_WASM`, or what a step throws
   */
  compile(bytes: Bytes, origin: string, steps?: readonly BinaryStep[]): Promise<CompiledModule>;
  /** Modules held. */
  readonly size: number;
}

/** Options of {@link createCompileCache}. */
export interface CompileCacheOptions {
  /** Modules kept; the one unused for longest goes first. Default 64. */
  readonly maxModules?: number;
}

/** An empty {@link CompileCache}. */
export function createCompileCache(options: CompileCacheOptions = {}): CompileCache {
  const { maxModules = 64 } = options;
  // A Map keeps the order of insertion: what is used again is put in again, so the first one is the oldest.
  const kept = new Map<string, Promise<CompiledModule>>();
  return {
    get size() {
      return kept.size;
    },
    async compile(bytes, origin, steps = []) {
      requireCoreModule(bytes, origin);
      const key = [toHex(await sha256(bytes)), ...steps.map((step) => step.key)].join(" ");
      const found = kept.get(key);
      const compiled = found ?? compile(bytes, origin, steps);
      if (found !== undefined) kept.delete(key);
      kept.set(key, compiled);
      if (kept.size > maxModules) kept.delete(kept.keys().next().value as string);
      try {
        return await compiled;
      } catch (error) {
        if (kept.get(key) === compiled) kept.delete(key);
        throw error;
      }
    },
  };
}

async function compile(bytes: Bytes, origin: string, steps: readonly BinaryStep[]): Promise<CompiledModule> {
  try {
    let changed = bytes;
    const notes = new Map<string, unknown>();
    for (const step of steps) {
      const made = await step.apply(changed, origin);
      changed = made instanceof Uint8Array ? made : made.bytes;
      if (!(made instanceof Uint8Array)) notes.set(step.key, made.note);
    }
    return { module: await WebAssembly.compile(changed), outline: readOutline(bytes), notes };
  } catch (error) {
    throw isKeelsonError(error) ? error : invalid(error, bytes, origin);
  }
}

/** What the engine said, with the place where the file itself breaks off, if it does. */
function invalid(error: unknown, bytes: Bytes, origin: string): KeelsonError {
  try {
    readSections(bytes);
  } catch (broken) {
    if (broken instanceof MalformedBinary) {
      return new KeelsonError(
        "INVALID_WASM",
        `${origin} is not a valid WebAssembly module: ${broken.message}`,
        {
          hint: "the file is damaged or was cut short; build or copy it again",
          details: { offset: broken.offset, bytes: bytes.length },
          cause: error,
        },
      );
    }
  }
  return asKeelsonError(error, "INVALID_WASM", `${origin} is not a module that this engine accepts`, {
    hint: "the file is damaged, or uses a proposal that this runtime lacks",
    details: { bytes: bytes.length },
  });
}
