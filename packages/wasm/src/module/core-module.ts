import type { Instance, MaybePromise, ModuleContext, Platform, WasmModule } from "@keelson/core";
import { chooseProfile } from "../abi/profiles.ts";
import { shapeOf } from "../abi/profile.ts";
import type { BinaryStep, CompileCache, CompiledModule } from "../cache/compile-cache.ts";
import { Governor, type GuestThread } from "../governor/index.ts";
import type { MeterMeta } from "../meter/index.ts";
import { verifyIntegrity } from "../cache/digest.ts";
import { createGuestInstance, type Blueprint } from "../instance/guest-instance.ts";
import { liveInstances } from "../instance/live-instances.ts";
import { IsolatedModule, type IsolatedCode } from "../isolation/isolated-module.ts";
import { FreshInstance } from "../state/fresh-instance.ts";
import { meterNote, stepsFor, type MeterNote } from "./preparation.ts";
import { readSource } from "./read-source.ts";
import type { BinarySource, WasmSettings } from "./settings.ts";

/** One generation of a core module. */
export class CoreModule implements WasmModule {
  readonly #settings: WasmSettings;
  readonly #cache: CompileCache;
  #blueprint: Blueprint | undefined;
  /** Made by prepare() and not yet asked for. */
  #first: Instance | undefined;
  /** Set when the instances are not to be in this thread. */
  #isolated: IsolatedModule | undefined;

  constructor(settings: WasmSettings, cache: CompileCache) {
    this.#settings = settings;
    this.#cache = cache;
  }

  /**
   * Compiles, and makes the first instance: what cannot be linked or traps at its start must fail the start of its generation, also of a
   * pool that keeps nothing warm, or a reload would hand it the calls.
   */
  async prepare(context: ModuleContext): Promise<void> {
    const { abi, imports, maxMemoryBytes, unenforced, isolation } = this.#settings;
    if (unenforced.length > 0) {
      context.log.write(
        "warn",
        `limits.${unenforced.join(" and limits.")} cannot be enforced with metering "${this.#settings.metering}"`,
        { limits: unenforced },
      );
    }
    const { fuel, cpuMs, scheduling } = this.#settings;
    const { module, outline, capped, note, notes } = await this.#compile(context);
    const shape = shapeOf(module, outline, privateNames(note?.meta));
    const profile = chooseProfile(shape, context.id, abi);
    const metered = note && { meta: note.meta, offsets: note.offsets, fuel, cpuMs };
    const sliced = scheduling === "sliced";
    this.#blueprint = { module, shape, profile, imports, maxMemoryBytes, capped, sliced, metered };
    if (isolation.level !== "inline") {
      const fresh = this.#settings.state === "fresh";
      const far = note && { meta: note.meta, fuel, cpuMs };
      const plan = { id: context.id, abi: profile.name, maxMemoryBytes, metered: far, fresh };
      const bytes = notes.get(KEEP.key) as IsolatedCode["bytes"];
      this.#isolated = new IsolatedModule(isolation, { plan, module, outline, bytes }, context);
    }
    const isolated = this.#isolated;
    this.#first =
      isolated === undefined
        ? this.#make(this.#blueprint, context)
        : await this.#makeIsolated(isolated, context);
    context.scope.defer(() => this.#takeFirst()?.[Symbol.dispose]());
  }

  instantiate(context: ModuleContext): MaybePromise<Instance> {
    const blueprint = this.#blueprint;
    if (blueprint === undefined) return this.prepare(context).then(() => this.instantiate(context));
    const first = this.#takeFirst();
    if (this.#isolated !== undefined) return first ?? this.#makeIsolated(this.#isolated, context);
    const instance = first ?? this.#make(blueprint, context);
    if (this.#settings.state === "keep") return instance;
    return new FreshInstance(instance, () => this.#make(blueprint, context), context.clock);
  }

  #takeFirst(): Instance | undefined {
    const first = this.#first;
    this.#first = undefined;
    return first;
  }

  async #makeIsolated(isolated: IsolatedModule, context: ModuleContext): Promise<Instance> {
    const live = liveInstances(context.platform);
    live.take(context.id, this.#settings.maxInstances);
    try {
      return await isolated.make(() => live.give());
    } catch (error) {
      live.give();
      throw error;
    }
  }

  #make(blueprint: Blueprint, context: ModuleContext): Instance {
    const live = liveInstances(context.platform);
    live.take(context.id, this.#settings.maxInstances);
    try {
      const governor =
        blueprint.metered && new Governor({ clock: context.clock, thread: threadOf(context.platform) });
      return createGuestInstance(blueprint, context, governor, () => live.give());
    } catch (error) {
      live.give();
      throw error;
    }
  }

  /** From source to compiled module: read, verify, cap, meter, compile. */
  async #compile(
    context: ModuleContext,
  ): Promise<CompiledModule & { readonly capped: boolean; readonly note: MeterNote | undefined }> {
    const { source, compiled, within, integrity } = this.#settings;
    if (compiled !== undefined)
      return { module: compiled, outline: undefined, notes: new Map(), capped: false, note: undefined };
    const { bytes, origin } = await readSource(source as BinarySource, context.platform, within);
    if (integrity !== undefined) await verifyIntegrity(bytes, integrity, origin);
    const steps = stepsFor(this.#settings, context.clock);
    const kept = this.#settings.isolation.level === "process" ? [KEEP] : [];
    const made = await this.#cache.compile(bytes, origin, [...steps, ...kept], context.platform.files);
    return { ...made, capped: true, note: meterNote(made) };
  }
}

/** Keeps the bytes that are compiled: a child process compiles them itself. */
const KEEP: BinaryStep = { key: "bytes", apply: (bytes) => ({ bytes, note: bytes }) };

/** The exports that metering added: they are the host's, and no method of the guest. */
function privateNames(meta: MeterMeta | undefined): ReadonlySet<string> {
  return new Set(meta === undefined ? [] : Object.values(meta.exports));
}

/**
 * What guests of one platform share while they run inside one another. Kept beside the platform object and not in the module's
 * scope, since a platform stands for one thread.
 */
const threads: WeakMap<Platform, GuestThread> = new WeakMap();

function threadOf(platform: Platform): GuestThread {
  let thread = threads.get(platform);
  if (thread === undefined) {
    thread = { current: undefined };
    threads.set(platform, thread);
  }
  return thread;
}
