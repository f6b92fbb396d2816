import {
  KeelsonError,
  type Call,
  type Instance,
  type MaybePromise,
  type ModuleContext,
  type Platform,
  type PlaceUser,
  type PoolPlaces,
  type Value,
  type WasmModule,
} from "@keelson/core";
import type { CompileCache } from "../cache/compile-cache.ts";
import { Governor, type GuestThread } from "../governor/index.ts";
import { exposeTally, type Tally } from "../governor/tally.ts";
import { verifyIntegrity } from "../cache/digest.ts";
import { createGuestInstance, type Blueprint } from "../instance/create-guest.ts";
import type { ImportTap } from "../instance/import-tap.ts";
import { liveInstances } from "../instance/live-instances.ts";
import { IsolatedModule, type IsolatedCode } from "../isolation/isolated-module.ts";
import { recordCall } from "../record/record-call.ts";
import { Recorder } from "../record/recorder.ts";
import { FreshInstance } from "../state/fresh-instance.ts";
import { turnsOf } from "../suspension/turns.ts";
import { compileBytes, KEEP, makeBlueprint, type Prepared } from "./blueprint.ts";
import { defaultMeterLimits } from "../meter/options.ts";
import { readSource } from "./read-source.ts";
import type { BinarySource } from "./options.ts";
import type { WasmSettings } from "./settings.ts";

/** What a guest that is stopped elsewhere, or while it is suspended, takes to say so on a busy machine, ms. */
const STOP_REPORT_MS = 50;

/** One generation of a core module. */
export class CoreModule implements WasmModule {
  readonly stopReportMs: number = STOP_REPORT_MS;
  readonly callsOut: boolean;
  readonly #settings: WasmSettings;
  readonly #cache: CompileCache;
  #blueprint: Blueprint | undefined;
  /** Of the module's bytes, hexadecimal. */
  #sha256: string | undefined;
  /** Made by prepare() and not yet asked for. */
  #first: Instance | undefined;
  /** Set when the instances are not to be in this thread. */
  #isolated: IsolatedModule | undefined;
  /** Set when guests are governed. */
  #tally: Tally | undefined;

  constructor(settings: WasmSettings, cache: CompileCache) {
    this.#settings = settings;
    // The built-in profiles' own imports call nobody.
    this.callsOut = settings.imports !== undefined || typeof settings.abi === "object";
    this.#cache = cache;
  }

  /**
   * Compiles, and makes the first instance: what cannot be linked or traps at its start must fail the start of its generation, also of a
   * pool that keeps nothing warm, or a reload would hand it the calls.
   */
  async prepare(context: ModuleContext): Promise<void> {
    const { maxMemoryBytes, unenforced, isolation } = this.#settings;
    if (unenforced.length > 0) {
      context.log.write(
        "warn",
        `limits.${unenforced.join(" and limits.")} cannot be enforced with metering "${this.#settings.metering}"`,
        { limits: unenforced },
      );
    }
    const prepared = await this.#compile(context);
    this.#sha256 = prepared.sha256;
    this.#blueprint = makeBlueprint(this.#settings, context.id, prepared);
    if (this.#blueprint.metered !== undefined) this.#tally = exposeTally(context.metrics);
    if (isolation.level !== "inline") {
      const fresh = this.#settings.state === "fresh";
      const { module, outline, notes } = prepared;
      const { profile, shape, imports } = this.#blueprint;
      const { fuel, cpuMs } = this.#settings;
      const metered = prepared.note && { meta: prepared.note.meta, fuel, cpuMs };
      const plan = { id: context.id, abi: profile.name, maxMemoryBytes, metered, fresh };
      const bytes = notes.get(KEEP.key) as IsolatedCode["bytes"];
      this.#isolated = new IsolatedModule(
        isolation,
        { plan, module, outline, bytes, shape, imports },
        context,
        this.#tally,
      );
    }
    const isolated = this.#isolated;
    this.#first =
      isolated === undefined
        ? this.#make(this.#blueprint, context)
        : await this.#makeIsolated(isolated, context);
    context.scope.defer(() => this.#takeFirst()?.[Symbol.dispose]());
    context.scope.add(liveInstances(context.platform).join(this.#unusedFirst(), Infinity));
  }

  places(context: ModuleContext): PoolPlaces {
    const { maxInstances } = this.#settings;
    return { join: (user) => liveInstances(context.platform).join(user, maxInstances) };
  }

  /** The first instance makes room for others as one that is idle does: it has shown that it can be made. */
  #unusedFirst(): PlaceUser {
    const count = (): number => (this.#first === undefined ? 0 : 1);
    return {
      lackingSince: undefined,
      get spares() {
        return count();
      },
      keeps: () => 0,
      spare: () => this.#takeFirst()?.[Symbol.dispose](),
      retry: () => {},
      wanted: () => {},
    };
  }

  instantiate(context: ModuleContext): MaybePromise<Instance> {
    const blueprint = this.#blueprint;
    if (blueprint === undefined) return this.prepare(context).then(() => this.instantiate(context));
    const first = this.#takeFirst();
    if (this.#isolated !== undefined) return first ?? this.#makeIsolated(this.#isolated, context);
    if (first !== undefined) return this.#renewed(first, blueprint, context);
    const make = (): Instance => this.#renewed(this.#make(blueprint, context), blueprint, context);
    // Some dozens made in one go would hold the thread for longer than their guests ever do.
    return blueprint.sliced ? turnsOf(context.platform).run(make) : make();
  }

  /** The instance, with what makes its guest new for each call where that is asked for. */
  #renewed(instance: Instance, blueprint: Blueprint, context: ModuleContext): Instance {
    if (this.#settings.state === "keep") return instance;
    const live = liveInstances(context.platform);
    const replace = (end: () => void): Instance => live.exchange(end, () => this.#make(blueprint, context));
    return new FreshInstance(instance, replace, context.clock);
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

  /**
   * One call on an instance of its own, with a {@link Recorder} around it.
   * @throws KeelsonError `UNSUPPORTED` when the module is not metered, is isolated, imports more than functions, or may be suspended
   */
  record(call: Call, context: ModuleContext): MaybePromise<Value> {
    const blueprint = this.#blueprint;
    const sha256 = this.#sha256;
    if (this.#isolated !== undefined) throw notInline(context.id, this.#settings.isolation.level);
    if (blueprint?.metered === undefined || sha256 === undefined) throw notMetered(context.id);
    const recorder = new Recorder();
    const governor = this.#govern(context);
    const instance = this.#open(blueprint, context, governor, recorder);
    const subject = { settings: this.#settings, sha256, abi: blueprint.profile.name };
    try {
      return recordCall(call, instance, governor, recorder, subject);
    } finally {
      if (recorder.gap !== undefined)
        context.log.write("warn", `The call of ${call.method} was not recorded: ${recorder.gap}`);
    }
  }

  #make(blueprint: Blueprint, context: ModuleContext): Instance {
    const governor = blueprint.metered && this.#govern(context);
    return this.#open(blueprint, context, governor);
  }

  #govern({ clock, platform }: ModuleContext): Governor {
    const { interrupt } = this.#settings;
    return new Governor({
      clock,
      thread: threadOf(platform),
      ...(interrupt === undefined ? {} : { interrupt }),
      ...(this.#tally === undefined ? {} : { tally: this.#tally }),
    });
  }

  #open(
    blueprint: Blueprint,
    context: ModuleContext,
    governor: Governor | undefined,
    tap?: ImportTap,
  ): Instance {
    const live = liveInstances(context.platform);
    live.take(context.id, this.#settings.maxInstances);
    let taken = true;
    const give = (holder?: object, bytes?: number): void => {
      if (taken) live.give(holder, bytes);
      taken = false;
    };
    try {
      return createGuestInstance(blueprint, context, governor, give, tap);
    } catch (error) {
      // Unless it came so far that it could be disposed.
      give();
      throw error;
    }
  }

  /** From source to compiled module: read, verify, cap, meter, compile. */
  async #compile(context: ModuleContext): Promise<Prepared> {
    const { id, source, compiled, within, integrity, metering, codeLimits } = this.#settings;
    if (compiled !== undefined)
      return { module: compiled, outline: undefined, notes: new Map(), capped: false, note: undefined };
    const { maxBytes } = { ...defaultMeterLimits, ...codeLimits };
    const { bytes, origin } = await readSource(
      source as BinarySource,
      context.platform,
      within,
      id,
      metering === "off" ? Infinity : maxBytes,
    );
    if (integrity !== undefined) await verifyIntegrity(bytes, integrity, origin);
    return compileBytes(bytes, origin, this.#settings, this.#cache, context.platform);
  }
}

function notMetered(id: string): KeelsonError {
  return new KeelsonError("UNSUPPORTED", `${id} is not metered: its calls cannot be recorded`, {
    hint: 'give its bytes, and metering "exact" or "deadline": without, nothing says at which instruction it stopped',
    details: { module: id },
  });
}

function notInline(id: string, level: string): KeelsonError {
  return new KeelsonError(
    "UNSUPPORTED",
    `${id} runs with isolation "${level}": its calls cannot be recorded`,
    {
      hint: 'record it where it may run in the host\'s own thread: isolation "inline"',
      details: { module: id, isolation: level },
    },
  );
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
