import type { Call, Clock, Instance, Measurement, Usage, Value } from "@keelson/core";
import { asKeelsonError, isKeelsonError, KeelsonError, withDetails } from "@keelson/core/plain";
import type { AbiProfile, Binding, LaterBinding, LaterGuest, ModuleShape } from "../abi/profile.ts";
import { Footprint } from "./footprint.ts";
import type { GuestContext } from "./guest-context.ts";
import type { GuestHost } from "./guest-host.ts";
import { GuestMemory } from "./guest-memory.ts";
import type { ImportTap } from "./import-tap.ts";
import { instantiate, resolveImports, type HostImports } from "./link.ts";
import type { Abortable, Governor, RunLimits } from "../governor/index.ts";
import type { MeterMeta, OffsetMap } from "../meter/index.ts";
import { createSuspension, suspendableImports, whySuspendable } from "../suspension/link.ts";
import type { Exposed } from "../state/expose.ts";
import { Snapshot } from "../state/snapshot.ts";
import { SuspendableInstance } from "../suspension/suspendable-instance.ts";
import { trapError, placeDetails, type TrapKind, type TrapPlace } from "./trap.ts";
import { trapPosition, type Positions } from "./trap-position.ts";

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

/** What starting may take when nothing else is said, ms: its start function, `_initialize` and the profile's own calls. */
const START_MS = 1_000;

/**
 * Makes one instance and runs its start function, then `_initialize` if it exports one, as reactors of C, Rust and Go expect.
 *
 * @param release called once, when the instance is disposed
 * @param tap for calls that are recorded or run again; the guest must not be one that is suspended then
 */
export function createGuestInstance(
  blueprint: Blueprint,
  context: GuestContext,
  governor: Governor | undefined,
  release: () => void,
  tap?: ImportTap,
): Instance {
  const { module, shape, profile, metered } = blueprint;
  const host: GuestHost = {
    id: context.id,
    log: context.log,
    wall: () => context.clock.wall(),
    memory: undefined,
    call: undefined,
    entered: false,
    broken: false,
    panic: undefined,
  };
  const linked = tap?.replaces === true ? {} : resolveImports(shape, profile, host, blueprint.imports);
  const why = whySuspendable(linked, blueprint.sliced);
  const suspension =
    why === undefined ? undefined : createSuspension(why, profile, context, governor, blueprint.sliced);
  if (why !== undefined && tap !== undefined) throw cannotBeTapped(context.id, why);
  const plain = tap === undefined ? linked : tap.link(linked, shape, host);
  const imports = suspension === undefined ? plain : suspendableImports(plain, shape, suspension);
  const made = instantiate(module, imports, context.id);
  const { exports } = made;
  tap?.opened(exports);
  if (governor !== undefined && metered !== undefined) governor.adopt(made, metered.meta);
  const memories = Object.values(exports).filter((one) => one instanceof WebAssembly.Memory);
  const main = exports["memory"] instanceof WebAssembly.Memory ? exports["memory"] : memories[0];
  if (main !== undefined) host.memory = new GuestMemory(main);
  const others = memories.filter((memory) => memory !== main).map((memory) => new GuestMemory(memory));
  const watchBytes = blueprint.capped ? Infinity : blueprint.maxMemoryBytes;
  const limits: CallLimits = {
    fuel: metered?.fuel,
    cpuMs: metered?.cpuMs,
    deadline: undefined,
    signal: undefined,
    measure: false,
  };
  // A host function of the host's own may abort the caller's signal; without one nothing can, while the guest holds the thread.
  if (blueprint.imports !== undefined) {
    limits.signal = {
      get aborted() {
        return host.call?.signal.aborted === true;
      },
    };
  }
  const footprint = new Footprint(exports, imports);
  const { clock } = context;
  const instance = new GuestInstance(host, others, watchBytes, release, governor, limits, clock, footprint, {
    functions: metered?.meta.functions ?? Infinity,
    offsets: metered?.offsets,
  });
  const bind = (): Binding => profile.bind({ exports, host, shape });
  // What the host keeps for each instance is made new with the instance alone.
  const exposed = typeof blueprint.imports === "function" ? undefined : blueprint.exposed;
  let snapshot: Snapshot | undefined;
  instance.open(context.clock.now(), () => {
    const initialize = exports["_initialize"];
    if (typeof initialize === "function") {
      host.entered = true;
      (initialize as () => void)();
      host.entered = false;
    }
    snapshot = exposed && Snapshot.take(exports, exposed);
    return bind();
  });
  if (snapshot !== undefined) instance.renewal = { snapshot, bind };
  if (suspension === undefined) return instance;
  const later = { exports, host, shape, later: suspension.later.bind(suspension) } satisfies LaterGuest;
  const bindLater = (): LaterBinding => profile.bindLater?.(later) as LaterBinding;
  return new SuspendableInstance(instance, bindLater, suspension, governor, limits, () => clock.now());
}

/** What puts a guest back to where it was when it had run nothing but its start. */
interface Renewal {
  readonly snapshot: Snapshot;
  readonly bind: () => Binding;
}

function cannotBeTapped(module: string, why: string): KeelsonError {
  return new KeelsonError("UNSUPPORTED", `${module}: ${why}, so its calls cannot be recorded`, {
    hint: "what happens between its turns would have to be recorded as well; record it without that",
    details: { module },
  });
}

/** {@link RunLimits} of an instance's calls: one object, changed for each. */
interface CallLimits extends RunLimits {
  deadline: number | undefined;
  signal: Abortable | undefined;
  /** While a call is measured. */
  measure: boolean;
}

/** An instance whose guest runs to its end in each call. */
export class GuestInstance implements Instance {
  dead = false;
  /** Set when it can be made new. */
  renewal: Renewal | undefined;
  #binding: Binding | undefined;
  readonly #host: GuestHost;
  /** Exported memories besides the main one. */
  #others: readonly GuestMemory[];
  /** `Infinity` when the engine keeps the cap. */
  readonly #watchBytes: number;
  #release: (() => void) | undefined;
  readonly #governor: Governor | undefined;
  readonly #limits: CallLimits;
  readonly #clock: Clock;
  #footprint: Footprint | undefined;
  readonly #positions: Positions;

  constructor(
    host: GuestHost,
    others: readonly GuestMemory[],
    watchBytes: number,
    release: () => void,
    governor: Governor | undefined,
    limits: CallLimits,
    clock: Clock,
    footprint: Footprint,
    positions: Positions,
  ) {
    this.#positions = positions;
    this.#clock = clock;
    this.#footprint = footprint;
    this.#governor = governor;
    this.#limits = limits;
    this.#host = host;
    this.#others = others;
    this.#watchBytes = watchBytes;
    this.#release = release;
  }

  /** Ends what belongs to instantiation; a failure here is the failure to instantiate. */
  open(now: number, bind: () => Binding): void {
    const governor = this.#governor;
    try {
      if (governor === undefined) this.#binding = bind();
      else {
        const limits: RunLimits = { cpuMs: this.#limits.cpuMs, deadline: now + START_MS };
        this.#host.entered = true;
        governor.start(limits);
        this.#host.entered = false;
        this.#binding = governor.run(limits, bind);
      }
      this.look("start");
    } catch (error) {
      throw this.fail(error, "start");
    }
  }

  get memoryBytes(): number {
    let bytes = this.#host.memory?.size ?? 0;
    for (const memory of this.#others) bytes += memory.size;
    return bytes;
  }

  call(call: Call): Value {
    const { measurement } = call;
    return measurement === undefined ? this.#run(call) : this.#measure(call, measurement);
  }

  #run(call: Call): Value {
    const binding = this.#binding;
    if (binding === undefined) throw this.#gone();
    const host = this.#host;
    const governor = this.#governor;
    const value = governor === undefined ? this.#trust(binding, call) : this.#govern(governor, binding, call);
    if (host.panic !== undefined || this.#watchBytes !== Infinity) this.#judge(call.method);
    return value;
  }

  /** Leaves what the call used in `measurement`, also when it fails. */
  #measure(call: Call, measurement: Measurement): Value {
    const limits = this.#limits;
    const outer = limits.measure;
    const footprint = this.#footprint;
    const started = this.#governor === undefined ? this.#clock.now() : 0;
    limits.measure = true;
    try {
      return this.#run(call);
    } finally {
      limits.measure = outer;
      measurement.usage = this.usageSince(started, footprint);
    }
  }

  /** What the last call used. @param started when it began, for a guest that nobody governs, ms */
  usageSince(started: number, footprint: Footprint | undefined = this.#footprint): Usage {
    const used = this.#governor?.usage ?? {
      fuel: 0,
      cpuMs: this.#clock.now() - started,
      memoryPeakBytes: 0,
    };
    return withPeak(used, footprint);
  }

  /** Sets the call in progress, for host functions. */
  set calledBy(call: Call | undefined) {
    this.#host.call = call;
  }

  #trust(binding: Binding, call: Call): Value {
    const host = this.#host;
    const outer = host.call;
    host.call = call;
    let value: Value;
    try {
      value = binding.call(call.method, call.payload);
    } catch (error) {
      host.call = outer;
      throw this.fail(error, call.method);
    }
    host.call = outer;
    return value;
  }

  #govern(governor: Governor, binding: Binding, call: Call): Value {
    const limits = this.#limits;
    limits.deadline = call.deadline;
    const host = this.#host;
    try {
      governor.enter(limits);
    } catch (error) {
      throw notBegun(host.id, call.method, error);
    }
    const outer = host.call;
    host.call = call;
    let value: Value;
    try {
      value = binding.call(call.method, call.payload);
    } catch (error) {
      const failure = governor.fail(error);
      host.call = outer;
      // A guest that was stopped may have been left by an answer that then made no sense: it is dead all the same.
      if (governor.dead) host.broken = true;
      throw this.fail(failure, call.method);
    }
    governor.leave();
    host.call = outer;
    return value;
  }

  /** Puts the guest back to where it was before its first call, if that can be done. */
  renew(): boolean {
    const { renewal } = this;
    const host = this.#host;
    if (renewal === undefined || this.dead || host.broken || !renewal.snapshot.restore()) return false;
    host.entered = false;
    const limits: RunLimits = { cpuMs: this.#limits.cpuMs, deadline: this.#clock.now() + START_MS };
    try {
      this.#binding = this.#governor?.run(limits, renewal.bind) ?? renewal.bind();
    } catch {
      this.dead = true;
    }
    return !this.dead;
  }

  [Symbol.dispose](): void {
    this.dead = true;
    this.renewal = undefined;
    // What holds the memory is let go, so that the collector can take it although somebody keeps this object.
    this.#binding = undefined;
    this.#host.memory = undefined;
    this.#others = [];
    this.#footprint = undefined;
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }

  #judge(method: string): void {
    try {
      this.look(method);
    } catch (error) {
      throw this.fail(error, method);
    }
  }

  /** What only shows once the guest has returned: a panic that it caught, and growth that the engine did not refuse. */
  look(method: string): void {
    const host = this.#host;
    if (host.panic !== undefined) {
      host.broken = true;
      throw host.panic;
    }
    const bytes = this.memoryBytes;
    if (bytes <= this.#watchBytes) return;
    host.broken = true;
    throw new KeelsonError(
      "OUT_OF_MEMORY",
      `${host.id}: ${method} left ${bytes} bytes of memory; the limit is ${this.#watchBytes}`,
      {
        hint: "raise limits.memory; the instance is discarded",
        details: { module: host.id, method, memoryBytes: bytes, limitBytes: this.#watchBytes },
      },
    );
  }

  /** Ends the instance in the midst of a call, and gives the error for its caller. */
  abandon(error: unknown, method: string): KeelsonError {
    this.#host.entered = this.#host.broken = true;
    return this.fail(error, method);
  }

  /** What a failed call means for the instance and for its caller. */
  fail(error: unknown, method: string): KeelsonError {
    const host = this.#host;
    if (!host.entered && !host.broken && !isKeelsonError(error, "OUT_OF_BOUNDS")) {
      // Nothing has run yet but what reads the payload, which may be anything that its owner made.
      return asKeelsonError(error, "INVALID_PAYLOAD", `${host.id}: the payload of ${method} cannot be read`, {
        hint: "send plain data and bytes; the cause is what reading it threw",
      });
    }
    this.dead = true;
    this.#binding = undefined;
    if (!host.entered) return asKeelsonError(error, "INTERNAL", `${host.id}: ${method}`);
    const governor = this.#governor;
    const place: TrapPlace = {
      module: host.id,
      method,
      memoryBytes: this.memoryBytes,
      usage: governor && withPeak(governor.usage, this.#footprint),
      at: trapPosition(isKeelsonError(error) ? error.cause : error, this.#positions),
      refused: governor?.refused,
    };
    const stopped = governor?.stopped;
    if (stopped !== undefined && isKeelsonError(error, stopped.code)) return stoppedIn(place, error);
    if (host.panic === undefined) return trapError(error, place);
    return place.usage === undefined ? host.panic : withDetails(host.panic, { usage: place.usage });
  }

  #gone(): KeelsonError {
    return new KeelsonError("WASM_TRAP", `${this.#host.id}: this instance ended before`, {
      hint: "a dead instance is never used again; take another lease",
      details: { kind: "other", module: this.#host.id },
    });
  }
}

/** The error of a call whose time was over, or whose caller had given it up, before the guest was entered: it stopped nobody. */
function notBegun(module: string, method: string, error: unknown): unknown {
  if (!isKeelsonError(error) || error.code === "WASM_TRAP") return error;
  const why = error.code === "ABORTED" ? "its caller gave it up" : "its time was over";
  return new KeelsonError(error.code, `${module}: ${method} was not begun: ${why}`, {
    hint: "the guest was not entered, and serves on",
    details: { module, method },
  });
}

/** What a governor counted, and the memories that it does not see. */
function withPeak(usage: Usage, footprint: Footprint | undefined): Usage {
  const { fuel, cpuMs, memoryPeakBytes } = usage;
  return { fuel, cpuMs, memoryPeakBytes: footprint?.peakBytes(memoryPeakBytes) ?? memoryPeakBytes };
}

/** A stop with the place where it happened; what a guest said before counts no more than that it was stopped. */
function stoppedIn(place: TrapPlace, error: KeelsonError): KeelsonError {
  const kind = error.code === "STACK_EXHAUSTED" ? { kind: "stack" satisfies TrapKind } : {};
  return new KeelsonError(
    error.code,
    `${place.module}: ${place.method} was stopped: ${error.message.split("\n", 1)[0]}`,
    {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      details: { ...error.details, ...placeDetails(place), ...kind },
      cause: error.cause,
    },
  );
}
