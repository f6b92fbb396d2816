import type { EngineInstance } from "../instance/engine.ts";
import type { Clock, Usage } from "@keelson/core";
import { isKeelsonError, KeelsonError } from "@keelson/core/plain";

// Not by the meter's door: where guests run, nobody meters.
import { HOST_FRAME_BYTES, PARKED_BELOW, RefillKind, STOP } from "../meter/layout.ts";
import type { MeterMeta } from "../meter/options.ts";
import { attach, type Attached, counterGiven } from "../meter/runtime.ts";
import { type Refusals, type Stop, stopError, stopFacts } from "./stop.ts";
import { isStackOverflow } from "./overflow.ts";
import { prepareToTrap, trapForNothing } from "./rehearsal.ts";
import { type Tally, TALLY_CPU_MS, TALLY_FUEL } from "./tally.ts";

/** Options of {@link Governor}. */
export interface GovernorOptions {
  /** The platform's monotonic clock, ms; and, where it can tell, how long the thread has had a core. */
  readonly clock: Pick<Clock, "now" | "ran">;
  /** The thread's guests, for those that call one another through the host; see {@link GuestThread}. */
  readonly thread?: GuestThread;
  /** A flag that another thread may raise: a value other than 0 at index 0 aborts the guest. */
  readonly interrupt?: Int32Array;
  /** Counts what runs use, those of other governors too. */
  readonly tally?: Tally;
}

/** What is asked of a signal: an AbortSignal, or something that knows of one. */
export interface Abortable {
  readonly aborted: boolean;
}

/** What one run may take. Absent limits do not hold. */
export interface RunLimits {
  /** Units of fuel. */
  readonly fuel?: number | undefined;
  /** Time in the guest and the host functions it calls, ms. */
  readonly cpuMs?: number | undefined;
  /** When the run must have ended, on the governor's clock, ms. */
  readonly deadline?: number | undefined;
  readonly signal?: Abortable | undefined;
  /** Read the clock at the end too, so that {@link Usage} knows the time. */
  readonly measure?: boolean;
}

/** Guests that run on one thread, inside one another: what they take of the stack is taken from one budget. */
export interface GuestThread {
  /** The governor whose guest runs now; set by governors. */
  current: Governor | undefined;
}

/** The most units handed out at once: some 30 µs of quick code, and still under 5 ms of the slowest. */
const MAX_SLICE_UNITS = 100_000;
const MIN_SLICE_UNITS = 1_000;
/** The most for a guest with functions of the host's in its tables: such a call costs it some thirty units, and may last as long as it likes. */
const WARY_SLICE_UNITS = 5_000;
/** What a slice may last, ms: what lasts longer makes the next one shorter. */
const SLICE_MS = 0.25;
/**
 * What a slice can last at most on any machine, ms. One that lasted longer did not run all that time: the system gave the
 * core to somebody else, or the engine collected garbage, which is told apart where the clock knows what the thread ran. What the
 * thread did not run is not the guest's own time and is not taken from its `cpuMs`; wall time goes on.
 */
const LONGEST_SLICE_MS = 5;
/**
 * What slices are reckoned to take at worst when the end is near, and how much later than it one may end, ms: engines compile a function when it is
 * first called, which takes 5 µs for the smallest, of some 20 units.
 */
const COLD_UNITS_PER_MS = 4_000;
const LATE_MS = 5;
/** When a run begins to be compared with what its thread ran, ms: shorter ones need not pay for a reading. */
const WATCH_AFTER_MS = 1;
/**
 * How long before a run's end its stop is rehearsed, ms: early for the collector of garbage, which may have waited for the guest to let it and then takes
 * some milliseconds; and late for the processor's caches.
 */
const EARLY_REHEARSAL_MS = 5;
const REHEARSAL_MS = 0.5;
/** After how long a run what a stop needs may have left these caches, ms. */
const COLD_AFTER_MS = 5;
/** Stack bytes reckoned for the host's frames between two guests. */
const CROSSING_BYTES = 4096;

interface Charge {
  readonly attached: Attached;
  readonly meta: MeterMeta;
  /** Units handed out in this run. */
  granted: number;
  /** Units used while the host had called the guest back, that the counter does not show yet: see {@link Governor.hostEnds}. */
  unseen: number;
  /** Units used when the guest last wrote its counter, as of the last slice; kept once the counter may come to wrap around. */
  written: number;
  started: boolean;
}

/** Beyond so many units the counter may wrap around: a hot loop keeps its own, and moves the one that it wrote last by all that it is given. */
const WRAPS_FROM = 2 ** 30;

/** Units used when the guest last wrote its counter, however long it has been in one loop since. */
function usedWhenWritten({ attached, granted, written }: Charge): number {
  return (granted - written) % 2 ** 32 === (attached.counter + 2 ** 32) % 2 ** 32
    ? written
    : granted - attached.fuel;
}

interface OuterRun {
  cpuEnd: number;
  readonly deadline: number;
  readonly signal: Abortable | undefined;
  readonly depths: readonly number[];
}

/**
 * Keeps one guest, which may consist of several instances, within its limits: hands out fuel in slices, looks at the
 * clock between them, and remembers why it stopped. A stopped guest is {@link dead}: nothing of it runs again.
 *
 * A run is what happens between an entry from outside and its exit. Runs nest when a host function calls the guest
 * again: the inner one spends from the outer one's fuel, and cannot last longer.
 */
export class Governor {
  /** True after a stop or a trap: the guest was left half-way. */
  dead = false;
  /**
   * Asked in detached runs whenever the guest asks to go on: a promise is its next turn, until which it is suspended; it must never reject. To be
   * set before instances are adopted.
   */
  nextTurn: ((now: number) => Promise<void> | undefined) | undefined;
  /** Stops a guest that comes back from the host, or from growing, as often as this in a run: so a stop of a recorded call is found again. */
  stopAtReturn: number = Number.POSITIVE_INFINITY;
  /**
   * What is done with a stop and what the engine threw for it, twice for nothing when a long run is about to end; what it throws is ignored. Default:
   * the error is made. See {@link trapForNothing}.
   */
  rehearsal: ((stop: Stop, thrown: unknown) => void) | undefined;
  /**
   * The thread is watched from the beginning of the next run: set before the first of what comes from outside, which may last long before it is heard of, while
   * the engine compiles what it is about to execute.
   */
  watchesNext = true;
  readonly #clock: Pick<Clock, "now" | "ran">;
  readonly #thread: GuestThread;
  readonly #interrupt: Int32Array | undefined;
  readonly #tally: Tally | undefined;
  readonly #charges: Charge[] = [];
  readonly #outer: OuterRun[] = [];
  /** What counter and depth of each instance were when host functions began, and how many instances there were; innermost last. */
  readonly #counters: number[] = [];
  #parent: Governor | undefined;
  #running = false;
  /** The run in progress may be suspended: it is never the thread's current one but while it is in a host function. */
  #detached = false;
  /** Since when the guest of a detached run does not run, ms. */
  #idleSince: number | undefined;
  /** The depth globals stand where an entry from outside needs them. */
  #depthIsFull = false;

  // of the run in progress, or the last one
  #fuelLimit = Number.POSITIVE_INFINITY;
  #granted = 0;
  #slice = MAX_SLICE_UNITS / 4;
  #maxSlice = MAX_SLICE_UNITS;
  #sliceStart = 0;
  /** By how much the counter was overdrawn when the slice was handed out: what one operation on a whole range costs, which then runs. */
  #sliceDebt = 0;
  #start = 0;
  #end = 0;
  #cpuMs = Number.POSITIVE_INFINITY;
  #cpuEnd = Number.POSITIVE_INFINITY;
  /** Time of this run that was not the guest's own, ms. */
  #stolen = 0;
  /** When the run is to be attended to next: see {@link Governor.#attend}. */
  #attendAt = 0;
  /** The thread's own time is watched. */
  #watches = false;
  /** The thread's own time when it was first read, ms; undefined where it cannot be. */
  #ranBefore: number | undefined;
  /** When that was, and later by what has been given back since. */
  #watchedFrom = 0;
  #deadline = Number.POSITIVE_INFINITY;
  #signal: Abortable | undefined;
  #measure = false;
  #stop: Stop | undefined;
  #fuelAtStop = 0;
  /** How often the guest came back from the host, or from growing, in this run. */
  #returns = 0;
  #stoppedAtReturn: number | undefined;
  #refused = { memory: 0, table: 0 };

  /** @throws KeelsonError `INVALID_OPTIONS` without a clock */
  constructor(options: GovernorOptions) {
    if (typeof options?.clock?.now !== "function") {
      throw new KeelsonError("INVALID_OPTIONS", "A governor needs a clock", {
        hint: "give one with a function now(), such as a platform's clock or performance",
      });
    }
    this.#clock = options.clock;
    this.#thread = options.thread ?? { current: undefined };
    this.#interrupt = options.interrupt;
    this.#tally = options.tally;
  }

  /**
   * Takes hold of an instance of a metered module. Its start function runs with {@link start}.
   *
   * @param wary the host may have put functions of its own into the instance's tables: when they call the guest back, it is not known that they were
   * called, so slices are short, and all the time that they last is the guest's own
   */
  adopt(instance: EngineInstance, meta: MeterMeta, wary = false): void {
    if (wary) this.#slice = this.#maxSlice = WARY_SLICE_UNITS;
    prepareToTrap();
    const charge: Charge = {
      attached: attach(
        instance,
        meta,
        (kind, counter) => this.#refill(charge, kind, counter),
        this.nextTurn && ((kind, counter) => this.#refillLater(charge, kind, counter)),
      ),
      meta,
      granted: 0,
      unseen: 0,
      written: 0,
      started: false,
    };
    if (this.#running) charge.attached.depth = meta.stackBytes;
    this.#charges.push(charge);
    this.#depthIsFull = false;
  }

  /** Runs the start functions of the instances adopted so far that have not run, under `limits`. */
  start(limits: RunLimits): void {
    this.run(limits, () => {
      for (const charge of this.#charges) {
        if (charge.started) continue;
        charge.started = true;
        charge.attached.start();
      }
    });
  }

  /**
   * Calls `body`, which calls the guest, under `limits`.
   *
   * @throws `FUEL_EXHAUSTED`, `DEADLINE_EXCEEDED`, `ABORTED`, `STACK_EXHAUSTED`, `OUT_OF_MEMORY` when the guest was
   * stopped, with the usage in its details; else what `body` threw.
   */
  run<T>(limits: RunLimits, body: () => T): T {
    this.enter(limits);
    let value: T;
    try {
      value = body();
    } catch (error) {
      throw this.fail(error);
    }
    this.leave();
    return value;
  }

  /**
   * Begins a run, for callers that cannot spare a closure: each must be followed by {@link leave}, or by
   * {@link fail} when something was thrown.
   */
  enter(limits: RunLimits): void {
    if (this.dead) throw this.#deadError();
    if (this.#running) {
      this.#enterAgain(limits);
      return;
    }
    const parent = this.#begin(limits);
    if (this.watchesNext) {
      this.watchesNext = false;
      this.#watch(this.#start);
    }
    this.#parent = parent;
    this.#thread.current = this;
  }

  /**
   * Begins a run whose guest may be suspended, and is entered by exports made `promising`. Each entry is put between
   * {@link wake} and {@link pause}, each host function between {@link holdThread} and its undoing. It ends as any other run, or
   * by {@link abandon}.
   */
  enterDetached(limits: RunLimits): void {
    if (this.dead) throw this.#deadError();
    this.#begin(limits);
    this.#detached = true;
    this.#idleSince = this.#start;
    for (const { attached } of this.#charges) attached.suspends = true;
  }

  /** The guest of a detached run does not run any more: its own time stands still. */
  pause(now: number = this.#clock.now()): void {
    this.#idleSince ??= now;
  }

  /** The guest of a detached run goes on now. */
  wake(now: number = this.#clock.now()): void {
    if (this.#idleSince === undefined) return;
    this.#giveBack(now - this.#idleSince);
    this.#idleSince = undefined;
    this.#sliceStart = now;
    // others ran meanwhile
    this.#watches = false;
    this.#attendAt = now + WATCH_AFTER_MS;
  }

  /** The guest of a detached run calls the host: what runs inside that shares its stack. Answers what to give {@link releaseThread}. */
  holdThread(): Governor | undefined {
    const before = this.#thread.current;
    this.#thread.current = this;
    return before;
  }

  /** The host function ended. */
  releaseThread(before: Governor | undefined): void {
    this.#thread.current = before;
  }

  /** The guest calls a host function from which it may come back unseen: see {@link MeterMeta.watchedImports}. */
  hostBegins(): void {
    for (const { attached, meta } of this.#charges) {
      const { counter, depth } = attached;
      this.#counters.push(counter, depth);
      // a guest that calls it by its name has left room for its frames
      if (counter >= PARKED_BELOW && meta.stackBytes > 0) attached.depth = depth - HOST_FRAME_BYTES;
    }
    this.#counters.push(this.#charges.length);
  }

  /**
   * That host function ended. The guest finds its counter as it was, by which it knows that it came back from the host, and asks at once: also
   * when the host has called it back in between. What it used then is taken from it when it asks.
   */
  hostEnds(): void {
    // Of a guest that was ended while it waited nothing is left to be put back; instances that were adopted since are as they are.
    const count = this.#counters.pop() ?? 0;
    for (let index = count - 1; index >= 0; index--) {
      const charge = this.#charges[index];
      const depth = this.#counters.pop()!;
      const before = this.#counters.pop()!;
      // let go while it waited
      if (charge === undefined) continue;
      const { attached } = charge;
      attached.depth = depth;
      const now = attached.counter;
      if (now === before) continue;
      charge.unseen += counterGiven(before) - counterGiven(now);
      attached.counter = before;
    }
  }

  /** Ends a detached run from outside, whatever its guest does or waits for: when it comes back it is stopped. Returns what to throw. */
  abandon(code: "DEADLINE_EXCEEDED" | "ABORTED", limit: "deadline" | "signal"): unknown {
    this.end(code, limit);
    return this.fail(undefined);
  }

  /** Stops the guest while it is in a host function: when it comes back nothing of it runs, whatever it catches. */
  end(code: "DEADLINE_EXCEEDED" | "ABORTED", limit: "deadline" | "signal"): void {
    if (this.#stop === undefined) this.#stopFor(code, limit, undefined);
  }

  /** Lets the instances go, of which nothing will run any more: who keeps an error keeps what was on its stack, this among it. */
  release(): void {
    this.dead = true;
    this.#charges.length = 0;
  }

  /** Time of the run in progress was not the guest's own, ms. */
  excuse(ms: number): void {
    if (ms > 0) this.#giveBack(ms);
  }

  /** What all runs begin with; answers the governor inside whose guest this one begins. */
  #begin(limits: RunLimits): Governor | undefined {
    const signal = limits.signal;
    this.#returns = 0;
    this.#stoppedAtReturn = undefined;
    this.#signal = signal;
    this.#measure = limits.measure === true;
    this.#fuelLimit = limits.fuel ?? Number.POSITIVE_INFINITY;
    this.#cpuMs = limits.cpuMs ?? Number.POSITIVE_INFINITY;
    this.#deadline = limits.deadline ?? Number.POSITIVE_INFINITY;
    this.#start = this.#end = this.#sliceStart = this.#clock.now();
    this.#cpuEnd = this.#start + this.#cpuMs;
    this.#watches = false;
    this.#attendAt = this.#start + WATCH_AFTER_MS;
    this.#granted = 0;
    // To set the length of an array costs 25 ns on V8, also where it is that already.
    if (this.#counters.length > 0) this.#counters.length = 0;
    this.#sliceDebt = 0;
    this.#stolen = 0;
    this.#refused.memory = this.#refused.table = 0;
    if (this.#start >= this.#deadline) throw this.#refuse("DEADLINE_EXCEEDED", "deadline");
    if (signal?.aborted === true || this.#interrupted()) throw this.#refuse("ABORTED", "signal");

    const parent = this.#thread.current;
    const charges = this.#charges;
    for (let index = 0; index < charges.length; index++) {
      const charge = charges[index]!;
      // the first slice is short: a guest that never asks for another costs nothing more
      const grant = Math.min(this.#slice, this.#fuelLimit - this.#granted);
      charge.granted = grant;
      charge.unseen = charge.written = 0;
      charge.attached.fuel = grant;
      this.#granted += grant;
      if (parent !== undefined) {
        charge.attached.depth = Math.min(charge.meta.stackBytes, parent.#depthLeft() - CROSSING_BYTES);
      } else if (!this.#depthIsFull) charge.attached.depth = charge.meta.stackBytes;
    }
    this.#depthIsFull = parent === undefined;
    this.#running = true;
    return parent;
  }

  /** Ends a run whose guest returned. */
  leave(): void {
    if (this.#outer.length > 0) this.#leaveInner();
    else this.#leaveOutermost();
  }

  /** Ends a run out of which `thrown` came; returns what to throw instead. */
  fail(thrown: unknown): unknown {
    const stop = this.leaveBy(thrown);
    return stop === undefined ? thrown : this.stopError(stop, thrown);
  }

  /**
   * Ends a run out of which `thrown` came, for callers that make the error themselves. Answers the stop that it has to be replaced for; undefined
   * when it is to be thrown as it is.
   */
  leaveBy(thrown: unknown): Stop | undefined {
    if (this.#stop === undefined && isStackOverflow(thrown))
      this.#stopFor("STACK_EXHAUSTED", "stackBytes", undefined);
    const stop = this.#stop;
    if (stop !== undefined || thrown instanceof WebAssembly.RuntimeError) this.dead = true;
    this.#depthIsFull = false;
    if (this.#outer.length > 0) this.#leaveInner();
    else this.#leaveOutermost();
    // on its way out through a host function an inner run's error may come by: it says the same
    return stop === undefined || isKeelsonError(thrown, stop.code) ? undefined : stop;
  }

  /** The error for a stop of this guest. */
  stopError(stop: Stop, cause?: unknown): KeelsonError {
    return stopError(stop, stopFacts(stop, this.usage, this.#refused), cause);
  }

  /** Why the guest was stopped, if it was. */
  get stopped(): Stop | undefined {
    return this.#stop;
  }

  /** Where it was stopped, if that was on coming back from the host or from growing: how often it had come back. */
  get stoppedAtReturn(): number | undefined {
    return this.#stoppedAtReturn;
  }

  /** What the run in progress, or the last one, used so far. */
  get usage(): Usage {
    let memoryPeakBytes = 0;
    const charges = this.#charges;
    for (let index = 0; index < charges.length; index++) {
      const { attached, meta } = charges[index]!;
      // the room is counted in granules, of which a cap may leave a part over
      if (meta.memoryBytes !== undefined)
        memoryPeakBytes += Math.floor(meta.memoryBytes / 16) * 16 - attached.roomBytes;
    }
    const end = this.#running ? (this.#idleSince ?? this.#clock.now()) : this.#end;
    const used = this.#stop ? this.#fuelAtStop : this.#used();
    const cpuMs = end - this.#start - this.#stolen;
    if (!this.dead || this.#stop !== undefined) return { fuel: used, cpuMs, memoryPeakBytes };
    return { fuel: used, fuelAtMost: Math.max(used, this.#granted), cpuMs, memoryPeakBytes };
  }

  /** Units of fuel that the run in progress has left; Infinity when fuel is not limited. */
  get fuelLeft(): number {
    return this.#fuelLimit === Number.POSITIVE_INFINITY ? this.#fuelLimit : this.#fuelLimit - this.#used();
  }

  /** How often growth was refused in this run, for messages. */
  get refused(): Refusals {
    return this.#refused;
  }

  #enterAgain(limits: RunLimits): void {
    this.#outer.push({
      cpuEnd: this.#cpuEnd,
      deadline: this.#deadline,
      signal: this.#signal,
      depths: this.#charges.map(({ attached }) => attached.depth),
    });
    this.#deadline = Math.min(this.#deadline, limits.deadline ?? Number.POSITIVE_INFINITY);
    if (limits.cpuMs !== undefined) this.#cpuEnd = Math.min(this.#cpuEnd, this.#clock.now() + limits.cpuMs);
    this.#signal = limits.signal ?? this.#signal;
    for (const { attached } of this.#charges) attached.depth -= CROSSING_BYTES;
  }

  #leaveInner(): void {
    const outer = this.#outer.pop()!;
    this.#cpuEnd = outer.cpuEnd;
    this.#deadline = outer.deadline;
    this.#signal = outer.signal;
    for (const [index, { attached }] of this.#charges.entries()) {
      attached.depth = outer.depths[index] ?? attached.depth;
    }
  }

  #leaveOutermost(): void {
    this.#running = false;
    if (this.#detached) {
      this.#detached = false;
      for (const { attached } of this.#charges) attached.suspends = false;
      this.#end = this.#clock.now();
      this.wake(this.#end);
    } else this.#thread.current = this.#parent;
    this.#parent = undefined;
    this.#signal = undefined;
    if (this.#measure || this.dead) this.#end = this.#clock.now();
    if (this.#tally !== undefined) this.#count(this.#tally);
  }

  /** Reads no clock, which would cost a short call a tenth of its time: what ran after the last look at it is left out. */
  #count(tally: Tally): void {
    tally[TALLY_FUEL]! += this.#stop === undefined ? this.#used() : this.#fuelAtStop;
    const seen = this.#end > this.#sliceStart ? this.#end : this.#sliceStart;
    if (seen !== this.#start) tally[TALLY_CPU_MS]! += seen - this.#start - this.#stolen;
  }

  /** The same for a guest that may wait for its turn; neither throws nor rejects. */
  #refillLater(charge: Charge, kind: number, given: number): number | Promise<number> {
    const answer = this.#refill(charge, kind, given);
    if (answer === STOP) return answer;
    const turn = this.nextTurn?.(this.#sliceStart);
    return turn === undefined ? answer : turn.then(() => (this.#running ? answer : STOP));
  }

  /** The answer to a guest that asks to go on; never throws. */
  #refill(charge: Charge, kind: number, given: number): number {
    if (this.#stop !== undefined || !this.#running) return STOP;
    if (kind === RefillKind.stack)
      return this.#stopFor("STACK_EXHAUSTED", "stackBytes", charge.meta.stackBytes);
    if (kind === RefillKind.allocation) {
      return this.#stopFor("OUT_OF_MEMORY", "memoryBytes", charge.meta.memoryBytes);
    }
    const counter = counterGiven(given) - charge.unseen;
    charge.unseen = 0;
    let now = this.#clock.now();
    // the first that is heard of a guest which waited for a host function
    if (this.#idleSince !== undefined) this.wake(now);
    const excess = now - this.#sliceStart - LONGEST_SLICE_MS;
    if (excess > 0 && kind === RefillKind.slice && this.#maxSlice === MAX_SLICE_UNITS)
      this.#excuseSlice(excess, now);
    if (now >= this.#attendAt) now = this.#attend(now);
    this.#sliceDebt = 0;
    if (kind !== RefillKind.slice) this.#returns++;
    else if (charge.granted > WRAPS_FROM) charge.written = usedWhenWritten(charge);
    const late = this.#lateness(now);
    if (late !== undefined) {
      if (kind !== RefillKind.slice) this.#stoppedAtReturn = this.#returns;
      return this.#stopFor(
        late === "signal" ? "ABORTED" : "DEADLINE_EXCEEDED",
        late,
        late === "cpuMs" ? this.#cpuMs : undefined,
        charge,
        counter,
      );
    }
    // what is so far below would be taken for a stop
    if (kind === RefillKind.host && counter >= PARKED_BELOW) {
      this.#sliceStart = now;
      return counter;
    }
    if (kind === RefillKind.memoryRefused) this.#refused.memory++;
    if (kind === RefillKind.tableRefused) this.#refused.table++;
    this.#adapt(now - this.#sliceStart);
    this.#sliceStart = now;
    if (counter >= 0) return counter;

    let slice = this.#slice;
    const left = Math.min(this.#cpuEnd, this.#deadline) - now;
    if (left < MAX_SLICE_UNITS / COLD_UNITS_PER_MS) {
      slice = Math.min(slice, Math.floor(COLD_UNITS_PER_MS * (left + LATE_MS)));
      if (left < SLICE_MS) slice = Math.max(MIN_SLICE_UNITS, Math.floor((slice * left) / SLICE_MS));
    }
    let available = this.#fuelLimit - this.#granted;
    if (slice - counter > available) {
      this.#reclaim(charge);
      available = this.#fuelLimit - this.#granted;
    }
    const grant = Math.min(slice - counter, available);
    if (counter + grant < 0) return this.#stopFor("FUEL_EXHAUSTED", "fuel", this.#fuelLimit, charge, counter);
    charge.granted += grant;
    this.#granted += grant;
    this.#sliceDebt = -counter;
    return counter + grant;
  }

  /** Which limit of time has come, or whether the caller gave up. */
  #lateness(now: number): "cpuMs" | "deadline" | "signal" | undefined {
    if (now >= this.#cpuEnd) return "cpuMs";
    if (now >= this.#deadline) return "deadline";
    if (this.#signal?.aborted === true || this.#interrupted() || this.#returns >= this.stopAtReturn)
      return "signal";
    return undefined;
  }

  /** @param excess by which the slice lasted longer than one can, ms; one whose operation alone costs many slices can last as long as they */
  #excuseSlice(excess: number, now: number): void {
    const own = (LONGEST_SLICE_MS * this.#sliceDebt) / MAX_SLICE_UNITS;
    const stolen = Math.min(excess - own, this.#stoodStill(now));
    if (stolen > 0) this.#giveBack(stolen);
  }

  /** What is rare in a run: that its thread begins to be watched, and that its stop is rehearsed. Answers what time it is then. */
  #attend(now: number): number {
    if (!this.#watches) this.#watch(now);
    const end = Math.min(this.#cpuEnd, this.#deadline);
    const left = end - now;
    if (left > EARLY_REHEARSAL_MS) this.#attendAt = end - EARLY_REHEARSAL_MS;
    else if (left > REHEARSAL_MS) this.#attendAt = end - REHEARSAL_MS;
    else this.#attendAt = Number.POSITIVE_INFINITY;
    if (left > EARLY_REHEARSAL_MS || left <= 0 || now - this.#start < COLD_AFTER_MS) return now;
    return this.#rehearse(now);
  }

  #watch(now: number): void {
    this.#watches = true;
    this.#watchedFrom = now;
    this.#ranBefore = this.#clock.ran?.();
  }

  /** Does what a stop takes, on the guest's own time, and answers what time it is then. The guest's slice has not lasted longer for it. */
  #rehearse(now: number): number {
    const stop: Stop = { code: "DEADLINE_EXCEEDED", limit: "cpuMs", value: this.#cpuMs };
    const thrown = trapForNothing();
    try {
      if (this.rehearsal === undefined) this.stopError(stop, thrown);
      else this.rehearsal(stop, thrown);
    } catch {
      // What reads a stack trace may be the program's own code. A guest could catch what comes out of here.
    }
    const then = this.#clock.now();
    this.#sliceStart += then - now;
    return then;
  }

  /** How long the thread had no core since it is watched, as far as it was not given back, ms; Infinity where nobody can tell. */
  #stoodStill(now: number): number {
    const before = this.#ranBefore;
    const ran = this.#watches ? this.#clock.ran?.() : undefined;
    if (before === undefined || ran === undefined) return Number.POSITIVE_INFINITY;
    return now - this.#watchedFrom - (ran - before);
  }

  #giveBack(ms: number): void {
    this.#stolen += ms;
    this.#watchedFrom += ms;
    this.#cpuEnd += ms;
    for (const outer of this.#outer) outer.cpuEnd += ms;
  }

  /** Makes slices last about as long as they should. */
  #adapt(lasted: number): void {
    if (lasted > SLICE_MS)
      this.#slice = Math.max(MIN_SLICE_UNITS, Math.floor((this.#slice * SLICE_MS) / lasted));
    else this.#slice = Math.min(this.#maxSlice, this.#slice * 2);
  }

  /** Takes back what other instances of the guest hold; they wait for this one, and ask when they go on. */
  #reclaim(except: Charge): void {
    for (const charge of this.#charges) {
      if (charge === except) continue;
      const unspent = charge.attached.fuel;
      if (unspent <= 0) continue;
      charge.attached.fuel = 0;
      charge.granted -= unspent;
      this.#granted -= unspent;
    }
  }

  #stopFor(
    code: Stop["code"],
    limit: Stop["limit"],
    value: number | undefined,
    charge?: Charge,
    counter = 0,
  ): number {
    this.#fuelAtStop = this.#used(charge, counter);
    this.#stop = { code, limit, value };
    this.dead = true;
    return STOP;
  }

  /** Units spent in this run, as of the guest's last call or exit. @param asking whose `counter` is at hand */
  #used(asking?: Charge, counter = 0): number {
    // Apart, so that this stays small enough to be compiled into its callers.
    if (this.#granted > WRAPS_FROM) return this.#usedInLongRun(asking, counter);
    const charges = this.#charges;
    let used = 0;
    for (let index = 0; index < charges.length; index++) {
      const charge = charges[index]!;
      used += charge.granted - (charge === asking ? counter : charge.attached.fuel);
    }
    return used;
  }

  #usedInLongRun(asking: Charge | undefined, counter: number): number {
    let used = 0;
    for (const charge of this.#charges) {
      if (charge === asking) used += charge.granted - counter;
      else if (charge.granted > WRAPS_FROM) used += usedWhenWritten(charge);
      else used += charge.granted - charge.attached.fuel;
    }
    return used;
  }

  #depthLeft(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { attached, meta } of this.#charges)
      if (meta.stackBytes > 0) least = Math.min(least, attached.depth);
    return least;
  }

  #interrupted(): boolean {
    return this.#interrupt !== undefined && Atomics.load(this.#interrupt, 0) !== 0;
  }

  /** A run that does not begin: the guest was not touched. */
  #refuse(code: Stop["code"], limit: Stop["limit"]): KeelsonError {
    for (const charge of this.#charges) {
      charge.granted = charge.attached.fuel;
      charge.unseen = 0;
    }
    const stop = { code, limit, value: undefined };
    return stopError(stop, stopFacts(stop, { fuel: 0, cpuMs: 0, memoryPeakBytes: 0 }, this.#refused));
  }

  #deadError(): KeelsonError {
    return new KeelsonError("WASM_TRAP", "the guest was stopped or trapped before, and cannot run again", {
      hint: "discard the instance and take another",
      details: { stop: this.#stop?.code ?? "trap" },
    });
  }
}
