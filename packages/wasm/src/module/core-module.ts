import type { Instance, MaybePromise, ModuleContext, WasmModule } from "@keelson/core";
import { chooseProfile } from "../abi/profiles.ts";
import { shapeOf } from "../abi/profile.ts";
import { capMemory } from "../binary/cap-memory.ts";
import type { BinaryStep, CompileCache, CompiledModule } from "../cache/compile-cache.ts";
import { verifyIntegrity } from "../cache/digest.ts";
import { createGuestInstance, type Blueprint } from "../instance/guest-instance.ts";
import { liveInstances } from "../instance/live-instances.ts";
import { readSource } from "./read-source.ts";
import type { BinarySource, WasmSettings } from "./settings.ts";

/** One generation of a core module. */
export class CoreModule implements WasmModule {
  readonly #settings: WasmSettings;
  readonly #cache: CompileCache;
  #blueprint: Blueprint | undefined;
  /** Made by prepare() and not yet asked for. */
  #first: Instance | undefined;

  constructor(settings: WasmSettings, cache: CompileCache) {
    this.#settings = settings;
    this.#cache = cache;
  }

  /**
   * Compiles, and makes the first instance: what cannot be linked or traps at its start must fail the start of its generation, also of a
   * pool that keeps nothing warm, or a reload would hand it the calls.
   */
  async prepare(context: ModuleContext): Promise<void> {
    const { abi, imports, maxMemoryBytes, unenforced } = this.#settings;
    if (unenforced.length > 0) {
      context.log.write(
        "warn",
        `limits.${unenforced.join(" and limits.")} of the manifest are not enforced`,
        { limits: unenforced },
      );
    }
    const { module, outline, capped } = await this.#compile(context);
    const shape = shapeOf(module, outline);
    const profile = chooseProfile(shape, context.id, abi);
    this.#blueprint = { module, shape, profile, imports, maxMemoryBytes, capped };
    this.#first = this.#make(this.#blueprint, context);
    context.scope.defer(() => this.#takeFirst()?.[Symbol.dispose]());
  }

  instantiate(context: ModuleContext): MaybePromise<Instance> {
    const blueprint = this.#blueprint;
    if (blueprint === undefined) return this.prepare(context).then(() => this.instantiate(context));
    return this.#takeFirst() ?? this.#make(blueprint, context);
  }

  #takeFirst(): Instance | undefined {
    const first = this.#first;
    this.#first = undefined;
    return first;
  }

  #make(blueprint: Blueprint, context: ModuleContext): Instance {
    const live = liveInstances(context.platform);
    live.take(context.id, this.#settings.maxInstances);
    try {
      return createGuestInstance(blueprint, context, () => live.give());
    } catch (error) {
      live.give();
      throw error;
    }
  }

  /** From source to compiled module: read, verify, change, compile. Metering will be one more step. */
  async #compile(context: ModuleContext): Promise<CompiledModule & { readonly capped: boolean }> {
    const { source, compiled, within, integrity, maxMemoryBytes } = this.#settings;
    if (compiled !== undefined) return { module: compiled, outline: undefined, capped: false };
    const { bytes, origin } = await readSource(source as BinarySource, context.platform, within);
    if (integrity !== undefined) await verifyIntegrity(bytes, integrity, origin);
    const cap: BinaryStep = {
      key: `memory=${maxMemoryBytes}`,
      apply: (original) => capMemory(original, maxMemoryBytes, origin),
    };
    return { ...(await this.#cache.compile(bytes, origin, [cap])), capped: true };
  }
}
