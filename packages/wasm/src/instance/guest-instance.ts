import type { Call, Clock, Instance, Measurement, Usage, Value } from "@keelson/core";
import { asKeelsonError, isKeelsonError, KeelsonError, withDetails } from "@keelson/core/plain";
import type { Binding } from "../abi/profile.ts";
import type { Abortable, Governor, RunLimits } from "../governor/index.ts";
import type { Stop } from "../governor/stop.ts";
import type { Snapshot } from "../state/snapshot.ts";
import { endedBefore, notBegun, placed, stoppedIn } from "./call-errors.ts";
import { stackOf, withoutGuest } from "./engine-error.ts";
import type { Footprint } from "./footprint.ts";
import type { GuestHost } from "./guest-host.ts";
import type { GuestMemory } from "./guest-memory.ts";
import { saysWhose, trapError, type TrapPlace } from "./trap.ts";
import { trapPosition, type Positions } from "./trap-position.ts";

/** What starting may take when nothing else is said, ms: its start function, `_initialize` and the profile's own calls. */
const START_MS = 1_000;

/** What puts a guest back to where it was when it had run nothing but its start. */
interface Renewal {
  readonly snapshot: Snapshot;
  readonly bind: () => Binding;
}

/** {@link RunLimits} of an instance's calls: one object, changed for each. */
export interface CallLimits extends RunLimits {
  deadline: number | undefined;
  signal: Abortable | undefined;
  /** While a call is measured. */
  measure: boolean;
}

/** What a {@link GuestInstance} is made of. */
export interface GuestParts {
  readonly host: GuestHost;
  /**
   * Whether anything may ask `host` which call the guest works on. Where nothing can it is not noted: a new object noted in an old one is
   * a good part of what a small call costs.
   */
  readonly asked: boolean;
  /** Exported memories besides the main one. */
  readonly others: readonly GuestMemory[];
  /** Bytes of memory past which a call has failed; `Infinity` when the engine keeps the cap. */
  readonly watchBytes: number;
  /** Called once, when the instance is disposed, with the bytes of memory that it held. */
  readonly release: (bytes: number) => void;
  readonly governor: Governor | undefined;
  readonly limits: CallLimits;
  readonly clock: Clock;
  readonly footprint: Footprint;
  readonly positions: Positions;
}

/** An instance whose guest runs to its end in each call. */
export class GuestInstance implements Instance {
  dead = false;
  /** Set when it can be made new. */
  renewal: Renewal | undefined;
  #binding: Binding | undefined;
  readonly #host: GuestHost;
  readonly #asked: boolean;
  #others: readonly GuestMemory[];
  readonly #watchBytes: number;
  #release: ((bytes: number) => void) | undefined;
  readonly #governor: Governor | undefined;
  readonly #limits: CallLimits;
  readonly #clock: Clock;
  #footprint: Footprint | undefined;
  readonly #positions: Positions;

  constructor(parts: GuestParts) {
    this.#positions = parts.positions;
    this.#clock = parts.clock;
    this.#footprint = parts.footprint;
    this.#governor = parts.governor;
    this.#limits = parts.limits;
    this.#host = parts.host;
    this.#asked = parts.asked;
    this.#others = parts.others;
    this.#watchBytes = parts.watchBytes;
    this.#release = parts.release;
    const { governor } = parts;
    if (governor !== undefined)
      governor.rehearsal = (stop, thrown) => void stoppedIn(this.#place(thrown, ""), stop, thrown);
  }

  /** Ends what belongs to instantiation; a failure here is the failure to instantiate. */
  open(now: number, bind: () => Binding): void {
    const governor = this.#governor;
    try {
      if (governor === undefined) this.#binding = bind();
      else {
        const { fuel, cpuMs } = this.#limits;
        const limits: RunLimits = { fuel, cpuMs, deadline: now + START_MS };
        this.#host.entered = true;
        governor.start(limits);
        this.#host.entered = false;
        this.#binding = governor.run(limits, bind);
        governor.watchesNext = true;
      }
      this.look("start");
    } catch (error) {
      const failure = this.fail(error, "start");
      this[Symbol.dispose]();
      throw failure;
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
    if (binding === undefined) throw endedBefore(this.#host.id);
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
    if (this.#asked) host.call = call;
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
    if (this.#asked) host.call = call;
    let value: Value;
    try {
      value = binding.call(call.method, call.payload);
    } catch (error) {
      const stop = governor.leaveBy(error);
      host.call = outer;
      // A guest that was stopped may have been left by an answer that then made no sense: it is dead all the same.
      if (governor.dead) host.broken = true;
      throw this.fail(error, call.method, stop);
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
    this.#governor?.restoreCalled();
    const { fuel, cpuMs } = this.#limits;
    const limits: RunLimits = { fuel, cpuMs, deadline: this.#clock.now() + START_MS };
    try {
      this.#binding = this.#governor?.run(limits, renewal.bind) ?? renewal.bind();
    } catch {
      this.dead = true;
    }
    return !this.dead;
  }

  [Symbol.dispose](): void {
    const release = this.#release;
    const bytes = this.#footprint?.peakBytes(this.#governor?.usage.memoryPeakBytes ?? 0);
    this.#letGo();
    release?.(bytes ?? 0);
  }

  /**
   * What holds the memory is let go, so that the collector can take it although somebody keeps this object: V8 has an error keep the receivers of
   * the functions on its stack until that is read.
   */
  #letGo(): void {
    this.dead = true;
    this.renewal = undefined;
    this.#binding = undefined;
    this.#host.memory = undefined;
    this.#others = [];
    this.#footprint = undefined;
    this.#release = undefined;
    this.#governor?.release();
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

  /** Ends the instance in the midst of a call, and gives the error for its caller; see {@link fail}. */
  abandon(error: unknown, method: string, stop?: Stop): KeelsonError {
    this.#host.entered = this.#host.broken = true;
    return this.fail(error, method, stop);
  }

  /**
   * What a failed call means for the instance and for its caller. One error is made for a stop, and not the governor's with ours around it: to make
   * one is a tenth of the time that a caller waits for it.
   *
   * @param stop why the guest was stopped, when `error` is merely what that made the engine throw
   */
  fail(error: unknown, method: string, stop?: Stop): KeelsonError {
    const host = this.#host;
    // Frames of the guest may be on its stack, which keep the memory until it is read; that of a stop is read anyway.
    if (stop === undefined) stackOf(error);
    if (!host.entered && !host.broken && !isKeelsonError(error, "OUT_OF_BOUNDS")) {
      // Nothing has run yet but what reads the payload, which may be anything that its owner made.
      return asKeelsonError(error, "INVALID_PAYLOAD", `${host.id}: the payload of ${method} cannot be read`, {
        hint: "send plain data and bytes; the cause is what reading it threw",
      });
    }
    const starting = this.#binding === undefined;
    this.dead = true;
    this.#binding = undefined;
    const governor = this.#governor;
    if (!host.entered) {
      const stopped = stop && governor?.stopError(stop, withoutGuest(error));
      const failure = stopped ?? asKeelsonError(error, "INTERNAL", `${host.id}: ${method}`);
      return saysWhose(failure, host.id, method);
    }
    const place = this.#place(error, method, starting);
    if (stop !== undefined) return stoppedIn(place, stop, error);
    const stopped = governor?.stopped;
    if (stopped !== undefined && isKeelsonError(error, stopped.code)) return placed(place, error);
    if (host.panic === undefined) return trapError(error, place);
    return withDetails(host.panic, place.usage === undefined ? {} : { usage: place.usage });
  }

  #place(error: unknown, method: string, starting = false): TrapPlace {
    const governor = this.#governor;
    return {
      module: this.#host.id,
      method,
      starting,
      memoryBytes: this.memoryBytes,
      usage: governor && withPeak(governor.usage, this.#footprint),
      at: trapPosition(isKeelsonError(error) ? error.cause : error, this.#positions),
      refused: governor?.refused,
    };
  }
}

/** What a governor counted, and the memories that it does not see. */
function withPeak(usage: Usage, footprint: Footprint | undefined): Usage {
  const memoryPeakBytes = footprint?.peakBytes(usage.memoryPeakBytes);
  return memoryPeakBytes === undefined ? usage : { ...usage, memoryPeakBytes };
}
