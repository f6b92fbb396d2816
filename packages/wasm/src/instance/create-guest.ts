import type { Instance } from "@keelson/core";
import { KeelsonError } from "@keelson/core/plain";
import { abiProfiles } from "../abi/profiles.ts";
import type { AbiProfile, Binding, LaterBinding, LaterGuest, ModuleShape } from "../abi/profile.ts";
import type { Governor } from "../governor/index.ts";
import type { MeterMeta, OffsetMap } from "../meter/index.ts";
import type { Exposed } from "../state/expose.ts";
import { Snapshot } from "../state/snapshot.ts";
import { createSuspension, suspendableImports, whySuspendable } from "../suspension/link.ts";
import { SuspendableInstance } from "../suspension/suspendable-instance.ts";
import { isPromise, type HostFunction } from "../suspension/host-functions.ts";
import { isSuspending, suspending } from "../suspension/suspending.ts";
import type { Suspension } from "../suspension/suspension.ts";
import { Footprint } from "./footprint.ts";
import type { GuestContext } from "./guest-context.ts";
import type { GuestHost } from "./guest-host.ts";
import { GuestInstance, type CallLimits } from "./guest-instance.ts";
import { GuestMemory } from "./guest-memory.ts";
import type { ImportTap } from "./import-tap.ts";
import { instantiate, resolveImports, type HostImports } from "./link.ts";

/** All that instances of one generation have in common. */
export interface Blueprint {
  readonly module: WebAssembly.Module;
  readonly shape: ModuleShape;
  readonly profile: AbiProfile;
  readonly imports: HostImports | undefined;
  /** Cap on memory, bytes. */
  readonly maxMemoryBytes: number;
  /** True when the engine itself refuses growth past the cap; else it is looked at after each call. */
  readonly capped: boolean;
  /** Whether its guests share the thread in slices. */
  readonly sliced: boolean;
  /** Where a guest's state is found, when guests are to be made new and all of it is within reach. */
  readonly exposed: Exposed | undefined;
  /** Set when the module was metered. */
  readonly metered: Metered | undefined;
}

/** What a metered module's governor needs, and what one call may take. */
export interface Metered {
  readonly meta: MeterMeta;
  /** Set when the module keeps its positions. */
  readonly offsets?: OffsetMap | undefined;
  /** Units; undefined for no limit. */
  readonly fuel: number | undefined;
  /** ms; undefined for no limit but the call's own. */
  readonly cpuMs: number | undefined;
}

/**
 * Makes one instance and runs its start function, then `_initialize` if it exports one, as reactors of C, Rust and Go expect.
 *
 * @param release called once, when the instance is disposed or its start fails, with what goes when its memory does, and how many bytes that held
 * @param tap for calls that are recorded or run again; the guest must not be one that is suspended then
 */
export function createGuestInstance(
  blueprint: Blueprint,
  context: GuestContext,
  governor: Governor | undefined,
  release: (holder: object, bytes: number) => void,
  tap?: ImportTap,
): Instance {
  const { module, shape, profile, metered } = blueprint;
  const { clock } = context;
  const host = createHost(context);
  const { imports, suspension } = linkGuest(blueprint, context, governor, host, tap);
  const made = instantiate(module, imports, context.id);
  const { exports } = made;
  tap?.opened(exports);
  if (governor !== undefined && metered !== undefined) {
    const wary = shape.imports.some(({ kind }) => kind === "table");
    governor.adopt(made, metered.meta, wary);
  }
  const limits = callLimits(blueprint, host);
  const instance = new GuestInstance({
    host,
    // The built-in profiles do not ask.
    asked: blueprint.imports !== undefined || !abiProfiles.includes(profile),
    others: adoptMemories(host, exports),
    watchBytes: blueprint.capped ? Infinity : blueprint.maxMemoryBytes,
    release: (bytes) => release(exports, bytes),
    governor,
    limits,
    clock,
    footprint: new Footprint(exports, imports),
    positions: { functions: metered?.meta.functions ?? Infinity, offsets: metered?.offsets },
  });
  const bind = (): Binding => profile.bind({ exports, host, shape });
  // What the host keeps for each instance is made new with the instance alone.
  const exposed = typeof blueprint.imports === "function" ? undefined : blueprint.exposed;
  let snapshot: Snapshot | undefined;
  instance.open(clock.now(), () => {
    initialize(host, exports);
    snapshot = exposed && Snapshot.take(exports, exposed);
    if (snapshot !== undefined) governor?.keepCalled();
    return bind();
  });
  if (snapshot !== undefined) instance.renewal = { snapshot, bind };
  if (suspension === undefined) return instance;
  const later = { exports, host, shape, later: suspension.later.bind(suspension) } satisfies LaterGuest;
  const bindLater = (): LaterBinding => profile.bindLater?.(later) as LaterBinding;
  return new SuspendableInstance(instance, bindLater, suspension, governor, limits, clock);
}

function createHost({ id, log, clock }: GuestContext): GuestHost {
  return {
    id,
    log,
    wall: () => clock.wall(),
    memory: undefined,
    call: undefined,
    entered: false,
    broken: false,
    panic: undefined,
  };
}

/** What the guest imports, and what suspends it if one of its imports may wait or it is sliced. */
function linkGuest(
  { shape, profile, imports, sliced, metered }: Blueprint,
  context: GuestContext,
  governor: Governor | undefined,
  host: GuestHost,
  tap: ImportTap | undefined,
): { readonly imports: WebAssembly.Imports; readonly suspension: Suspension | undefined } {
  const resolved = tap?.replaces === true ? {} : resolveImports(shape, profile, host, imports);
  const linked = governor === undefined ? resolved : announced(resolved, shape, metered?.meta, governor);
  const why = whySuspendable(linked, sliced);
  if (why === undefined)
    return { imports: tap === undefined ? linked : tap.link(linked, shape, host), suspension: undefined };
  const suspension = createSuspension(why, profile, context, governor, sliced);
  if (tap !== undefined) throw cannotBeTapped(context.id, why);
  return { imports: suspendableImports(linked, shape, suspension), suspension };
}

/** The imports, of which those that a guest may come back from unseen tell the governor when they begin and end. */
function announced(
  linked: WebAssembly.Imports,
  { imports }: ModuleShape,
  meta: MeterMeta | undefined,
  governor: Governor,
): WebAssembly.Imports {
  if (meta === undefined || meta.watchedImports.length === 0) return linked;
  const out: WebAssembly.Imports = {};
  for (const [module, names] of Object.entries(linked)) out[module] = { ...names };
  const functions = imports.filter(({ kind }) => kind === "function");
  for (const index of meta.watchedImports) {
    const { module, name } = functions[index]!;
    const run = linked[module]?.[name] as HostFunction | undefined;
    if (run === undefined) continue;
    const waits = isSuspending(run);
    const announce: HostFunction = (...args) => {
      governor.hostBegins();
      let later: Promise<unknown> | undefined;
      try {
        const value = run(...args);
        // While its guest waits it may be called back, too.
        if (waits && isPromise(value)) later = Promise.resolve(value).finally(() => governor.hostEnds());
        return later ?? value;
      } finally {
        if (later === undefined) governor.hostEnds();
      }
    };
    out[module]![name] = (waits ? suspending(announce) : announce) as WebAssembly.ImportValue;
  }
  return out;
}

/** Gives the host its view of the main memory; answers the guest's other exported ones. */
function adoptMemories(host: GuestHost, exports: WebAssembly.Exports): readonly GuestMemory[] {
  const memories = Object.values(exports).filter((one) => one instanceof WebAssembly.Memory);
  const main = exports["memory"] instanceof WebAssembly.Memory ? exports["memory"] : memories[0];
  if (main !== undefined) host.memory = new GuestMemory(main);
  return memories.filter((memory) => memory !== main).map((memory) => new GuestMemory(memory));
}

function callLimits({ metered, imports }: Blueprint, host: GuestHost): CallLimits {
  const limits: CallLimits = {
    fuel: metered?.fuel,
    cpuMs: metered?.cpuMs,
    deadline: undefined,
    signal: undefined,
    measure: false,
  };
  // A host function of the host's own may abort the caller's signal; without one nothing can, while the guest holds the thread.
  if (imports !== undefined) {
    limits.signal = {
      get aborted() {
        return host.call?.signal.aborted === true;
      },
    };
  }
  return limits;
}

function initialize(host: GuestHost, { _initialize: run }: WebAssembly.Exports): void {
  if (typeof run !== "function") return;
  host.entered = true;
  (run as () => void)();
  host.entered = false;
}

function cannotBeTapped(module: string, why: string): KeelsonError {
  return new KeelsonError("UNSUPPORTED", `${module}: ${why}, so its calls cannot be recorded`, {
    hint: "what happens between its turns would have to be recorded as well; record it without that",
    details: { module },
  });
}
