import {
  asKeelsonError,
  isKeelsonError,
  KeelsonError,
  type Bytes,
  type MaybePromise,
  type Platform,
} from "@keelson/core";
import { invalidOptions, isObject, requireOptions, shown } from "@keelson/core/plain";
import type { EngineModule } from "../instance/engine.ts";
import { readOutline, type Outline } from "../binary/outline.ts";
import { MalformedBinary, readSections } from "../binary/reader.ts";
import { requireBytes, requireCoreModule } from "../binary/sniff.ts";
import { sha256, toHex } from "./digest.ts";
import { ModuleStore, type StoreCounts, type StorePlatform } from "./module-store.ts";

/** A module that the engine has accepted. */
export interface CompiledModule {
  readonly module: EngineModule;
  /** Types of imports and exports; undefined when only the compiled module was given, or its types could not be read. */
  readonly outline: Outline | undefined;
  /** SHA-256 of the bytes as they came, hexadecimal; undefined when only the compiled module was given. */
  readonly sha256?: string;
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
 * `key` names the change with all its options: it is a part of the cache's key. Notes are kept on disk as JSON, in which Int32Arrays
 * may stand.
 */
export interface BinaryStep {
  readonly key: string;
  /** Must never make an invalid module valid: a step that appends validates the original first. */
  apply(bytes: Bytes, origin: string): MaybePromise<Bytes | ChangedBinary>;
}

/**
 * Compiled modules by the SHA-256 of their bytes and the steps applied to them. Safe to share between modules and kernels. With a
 * `folder`, what the steps made is kept on disk too, where other programs find it.
 */
export interface CompileCache {
  /**
   * Compiles, or finds what was compiled before. Compilations of the same bytes at the same time are joined; failures are not kept.
   *
   * @param platform has the folder's files, and the clock they are waited for by; without files nothing is kept on disk
   * @throws KeelsonError `INVALID_WASM`, `UNSUPPORTED_WASM`, or what a step throws
   */
  compile(
    bytes: Bytes,
    origin: string,
    steps?: readonly BinaryStep[],
    platform?: Pick<Platform, "clock" | "files">,
  ): Promise<CompiledModule>;
  /** Modules held in memory. */
  readonly size: number;
  /** What happened on disk so far; undefined without a folder. */
  readonly disk: StoreCounts | undefined;
}

/** Options of {@link createCompileCache}. */
export interface CompileCacheOptions {
  /** Modules kept in memory; the one unused for longest goes first. Default 64. */
  readonly maxModules?: number | undefined;
  /**
   * Where rewritten modules are kept for the next start, and for other processes: a path or a `file:` URL; made when it is first
   * needed. Each file is checked when it is read, against damage and not against malice: who may write here decides what code runs,
   * so let nobody but the host do so. A folder that cannot be used costs nothing but the time to rewrite, and two seconds where its file
   * system does not answer.
   */
  readonly folder?: string | URL | undefined;
  /** Bytes that the folder may hold; what was written first goes first. Default 256 MiB. */
  readonly maxBytes?: number | undefined;
}

/**
 * An empty {@link CompileCache}.
 *
 * @throws KeelsonError `INVALID_OPTIONS` when a count is no whole number of at least 0
 */
export function createCompileCache(options?: CompileCacheOptions): CompileCache {
  requireOptions("cache", options, { maxModules: 0, folder: true, maxBytes: 0 }, Infinity);
  const { maxModules = 64, folder, maxBytes = 256 * 2 ** 20 } = options ?? {};
  if (folder !== undefined && typeof folder !== "string" && !(folder instanceof URL))
    throw invalidOptions(`The folder of a compile cache is ${shown(folder)}`, "give a path or a file: URL");
  requireCount(maxModules, "maxModules");
  requireCount(maxBytes, "maxBytes");
  const store = folder === undefined ? undefined : new ModuleStore(folder, maxBytes);
  // A Map keeps the order of insertion: what is used again is put in again, so the first one is the oldest.
  const kept = new Map<string, Promise<CompiledModule>>();
  return {
    get size() {
      return kept.size;
    },
    get disk() {
      return store?.counts;
    },
    async compile(bytes, origin, steps = [], platform) {
      requireBytes(bytes, origin);
      requireCoreModule(bytes, origin);
      const hash = toHex(await sha256(bytes));
      const key = [hash, ...steps.map((step) => step.key)].join(" ");
      const found = kept.get(key);
      const disk = store && platform?.files && { store, files: platform.files, clock: platform.clock };
      const compiled = found ?? compile(bytes, origin, steps, key, disk);
      if (found !== undefined) kept.delete(key);
      kept.set(key, compiled);
      if (kept.size > maxModules) kept.delete(kept.keys().next().value as string);
      try {
        return { ...(await compiled), sha256: hash };
      } catch (error) {
        if (kept.get(key) === compiled) kept.delete(key);
        throw error;
      }
    },
  };
}

/** The store, and where it is. */
interface Disk extends StorePlatform {
  readonly store: ModuleStore;
}

async function compile(
  bytes: Bytes,
  origin: string,
  steps: readonly BinaryStep[],
  key: string,
  disk: Disk | undefined,
): Promise<CompiledModule> {
  try {
    if (disk === undefined || steps.length === 0) {
      const { bytes: changed, notes } = await applySteps(bytes, origin, steps);
      return { module: await WebAssembly.compile(changed), outline: readOutline(bytes), notes };
    }
    const found = await disk.store.get(key, disk);
    if (found !== undefined) {
      const module = await WebAssembly.compile(found.bytes).catch(() => undefined);
      if (module !== undefined) return { module, outline: readOutline(bytes), notes: found.notes };
    }
    const made = await applySteps(bytes, origin, steps);
    const module = await WebAssembly.compile(made.bytes);
    await disk.store.put(key, made, disk);
    return { module, outline: readOutline(bytes), notes: made.notes };
  } catch (error) {
    throw isKeelsonError(error) ? error : invalid(error, bytes, origin);
  }
}

async function applySteps(
  bytes: Bytes,
  origin: string,
  steps: readonly BinaryStep[],
): Promise<{ readonly bytes: Bytes; readonly notes: Map<string, unknown> }> {
  let changed = bytes;
  const notes = new Map<string, unknown>();
  for (const step of steps) {
    const made = await step.apply(changed, origin);
    changed = made instanceof Uint8Array ? made : made.bytes;
    if (!(made instanceof Uint8Array)) notes.set(step.key, made.note);
  }
  return { bytes: changed, notes };
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

/** A cache, or the options of one: who is given options makes the cache. */
export function compileCacheOf(given: CompileCache | CompileCacheOptions | undefined): CompileCache {
  if (given !== undefined && !isObject(given))
    throw invalidOptions(`cache is ${shown(given)}`, "give a cache or the options of one, or leave it out");
  return given !== undefined && "compile" in given ? given : createCompileCache(given);
}

function requireCount(count: number, name: string): void {
  if (count === Infinity || (Number.isSafeInteger(count) && count >= 0)) return;
  throw invalidOptions(
    `${name} of a compile cache must be a whole number of at least 0, not ${shown(count)}`,
    "correct it, or leave it out for its default",
  );
}
