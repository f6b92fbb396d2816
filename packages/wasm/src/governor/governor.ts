import type { EngineInstance } from "../instance/engine.ts";
import type { Clock, Usage } from "@keelson/core";
import { isKeelsonError, KeelsonError } from "@keelson/core/plain";

// Not by the meter's door: where guests run, nobody meters.
import { PARKED_BELOW, RefillKind, STOP } from "../meter/layout.ts";
import type { MeterMeta } from "../meter/options.ts";
import { attach, counterGiven, isParked } from "../meter/runtime.ts";
import { type Charge, Charges } from "./charges.ts";
import { crossDepths, depthLeft, fillDepths, restoreDepths } from "./depths.ts";
import { HostCalls } from "./host-calls.ts";
import type { Abortable, GovernorOptions, GuestThread, RunLimits } from "./options.ts";
import { isStackOverflow } from "./overflow.ts";
import { prepareToTrap, trapForNothing } from "./rehearsal.ts";
import { RunTime } from "./run-time.ts";
import { Slices } from "./slices.ts";
import { type Refusals, type Stop, stopError, stopFacts } from "./stop.ts";
import { type Tally, TALLY_CPU_MS, TALLY_FUEL } from "./tally.ts";
import { isA } from "./thrown.ts";

/** What a run has that another began inside. */
interface OuterRun {
  readonly signal: Abortable | undefined;
  readonly depths: readonly number[];
}

/**
 * Keeps one guest, which may consist of several instances, within its limits: hands out fuel in slices, looks at the
 * clock between them, and remembers why it stopped. A stopped guest is {@link dead}: nothing of it runs again.
 *
 * A run is what happens between an entry from outside and its exit. Runs nest when a host function calls the guest
 * again: the inner one spends from the outer one's fuel, and cannot last longer.
 *
 * To read it: a run begins in {@link enter}, the guest asks in `#refill`, and the run ends in {@link leave} or {@link leaveBy}. How large
 * a slice is stands in {@link Slices}, what was handed out in {@link Charges}, whose time went by in {@link RunTime}.
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
   * What a caller does with a stop and with what the engine threw for it. It is done for nothing, up to twice, when a long run is about to end, to have it
   * quick when it counts; what it throws is ignored. Default: the error is made. See {@link trapForNothing}.
   */
  rehearsal: ((stop: Stop, thrown: unknown) => void) | undefined;
  /**
   * The next run's time is compared with what its thread ran from the very beginning. Set for the first call from outside: while the engine compiles what
   * is about to run, the guest may not ask to go on for long.
   */
  watchesNext = true;
  readonly #clock: Pick<Clock, "now">;
  readonly #thread: GuestThread;
  readonly #interrupt: Int32Array | undefined;
  readonly #tally: Tally | undefined;
  readonly #charges: Charges = new Charges();
  readonly #time: RunTime;
  readonly #slices: Slices;
  readonly #hostCalls: HostCalls = new HostCalls();
  readonly #outer: OuterRun[] = [];
  #parent: Governor | undefined;
  #running = false;
  /** The run in progress may be suspended: it is the thread's current one only while it is in a host function. */
  #detached = false;
  /** Since when the guest of a detached run does not run, ms. */
  #idleSince: number | undefined;
  /** The depth globals stand where an entry from outside needs them. */
  #depthIsFull = false;

  // of the run in progress, or the last one
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
    this.#time = new RunTime(options.clock);
    this.#slices = new Slices(this.#time);
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
    if (wary) this.#slices.beWary();
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
    this.#charges.all.push(charge);
    this.#depthIsFull = false;
  }

  /** Remembers which large functions were called so far: the first call of each costs more fuel. */
  keepCalled(): void {
    for (const { attached } of this.#charges.all) attached.keepCalled();
  }

  /** Makes the others cost as a first call again, as at {@link keepCalled}: so the same call uses the same fuel. */
  restoreCalled(): void {
    for (const { attached } of this.#charges.all) attached.restoreCalled();
  }

  /** Runs the start functions of the instances adopted so far that have not run, under `limits`. */
  start(limits: RunLimits): void {
    this.run(limits, () => {
      for (const charge of this.#charges.all) {
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
      this.#time.watch(this.#time.start);
    }
    this.#parent = parent;
    this.#thread.current = this;
  }

  /** What all runs begin with; answers the governor inside whose guest this one begins. */
  #begin(limits: RunLimits): Governor | undefined {
    const signal = limits.signal;
    const charges = this.#charges;
    const slices = this.#slices;
    const time = this.#time;
    this.#returns = 0;
    this.#stoppedAtReturn = undefined;
    this.#signal = signal;
    this.#measure = limits.measure === true;
    charges.begin(limits.fuel);
    const now = this.#clock.now();
    time.begin(now, limits.cpuMs, limits.deadline);
    slices.begun = now;
    slices.debt = 0;
    this.#hostCalls.forget();
    this.#refused.memory = this.#refused.table = 0;
    if (now >= time.deadline) throw this.#refuse("DEADLINE_EXCEEDED", "deadline");
    if (signal?.aborted === true || this.#interrupted()) throw this.#refuse("ABORTED", "signal");

    const parent = this.#thread.current;
    charges.open(slices.units);
    if (parent !== undefined) fillDepths(charges.all, depthLeft(parent.#charges.all));
    else if (!this.#depthIsFull) fillDepths(charges.all);
    this.#depthIsFull = parent === undefined;
    this.#running = true;
    return parent;
  }

  #enterAgain(limits: RunLimits): void {
    this.#time.narrow(this.#clock.now(), limits.cpuMs, limits.deadline);
    this.#outer.push({ signal: this.#signal, depths: crossDepths(this.#charges.all) });
    this.#signal = limits.signal ?? this.#signal;
  }

  /** Ends a run whose guest returned. */
  leave(): void {
    if (this.#outer.length > 0) this.#leaveInner();
    else this.#leaveOutermost();
  }

  #leaveInner(): void {
    const outer = this.#outer.pop()!;
    this.#time.widen();
    this.#signal = outer.signal;
    restoreDepths(this.#charges.all, outer.depths);
  }

  #leaveOutermost(): void {
    this.#running = false;
    if (this.#detached) {
      this.#detached = false;
      for (const { attached } of this.#charges.all) attached.suspends = false;
      const now = this.#clock.now();
      this.#time.end = now;
      this.wake(now);
    } else this.#thread.current = this.#parent;
    this.#parent = undefined;
    this.#signal = undefined;
    if (this.#measure || this.dead) this.#time.end = this.#clock.now();
    if (this.#tally !== undefined) this.#count(this.#tally);
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
    if (stop !== undefined || isA(thrown, WebAssembly.RuntimeError)) this.dead = true;
    this.#depthIsFull = false;
    this.leave();
    // on its way out through a host function an inner run's error may come by: it says the same
    return stop === undefined || isKeelsonError(thrown, stop.code) ? undefined : stop;
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
    this.#idleSince = this.#time.start;
    for (const { attached } of this.#charges.all) attached.suspends = true;
  }

  /** The guest of a detached run does not run any more: its own time stands still. */
  pause(now: number = this.#clock.now()): void {
    this.#idleSince ??= now;
  }

  /** The guest of a detached run goes on now. */
  wake(now: number = this.#clock.now()): void {
    if (this.#idleSince === undefined) return;
    this.#time.giveBack(now - this.#idleSince);
    this.#idleSince = undefined;
    this.#slices.begun = now;
    this.#time.resume(now);
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

  /** The guest calls a host function from which it may come back unseen: see {@link HostCalls}. */
  hostBegins(): void {
    this.#hostCalls.begin(this.#charges.all);
  }

  /** That host function ended. */
  hostEnds(): void {
    this.#hostCalls.end(this.#charges.all);
  }

  /**
   * Ends a detached run from outside, whatever its guest does or waits for: when it comes back it is stopped. Returns what to throw; undefined between
   * runs, when only the guest ends.
   */
  abandon(code: "DEADLINE_EXCEEDED" | "ABORTED", limit: "deadline" | "signal"): unknown {
    this.end(code, limit);
    return this.#running ? this.fail(undefined) : undefined;
  }

  /** Stops the guest while it is in a host function: when it comes back nothing of it runs, whatever it catches. */
  end(code: "DEADLINE_EXCEEDED" | "ABORTED", limit: "deadline" | "signal"): void {
    if (this.#stop === undefined) this.#stopFor(code, limit, undefined);
  }

  /** Lets the instances go, of which nothing will run any more: who keeps an error keeps what was on its stack, this among it. */
  release(): void {
    this.dead = true;
    this.#charges.all.length = 0;
  }

  /** Time of the run in progress was not the guest's own, ms. */
  excuse(ms: number): void {
    if (ms > 0) this.#time.giveBack(ms);
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
    const { memoryPeakBytes } = this.#charges;
    const { start, stolen } = this.#time;
    const end = this.#running ? (this.#idleSince ?? this.#clock.now()) : this.#time.end;
    const used = this.#stop ? this.#fuelAtStop : this.#charges.used();
    const cpuMs = end - start - stolen;
    // Where an object did not fit, a loop without calls had not told what it used, either.
    if (!this.dead || (this.#stop !== undefined && this.#stop.code !== "OUT_OF_MEMORY"))
      return { fuel: used, cpuMs, memoryPeakBytes };
    return { fuel: used, fuelAtMost: Math.max(used, this.#charges.granted), cpuMs, memoryPeakBytes };
  }

  /** Units of fuel that the run in progress has left; Infinity when fuel is not limited. */
  get fuelLeft(): number {
    const { limit } = this.#charges;
    return limit === Number.POSITIVE_INFINITY ? limit : limit - this.#charges.used();
  }

  /** How often growth was refused in this run, for messages. */
  get refused(): Refusals {
    return this.#refused;
  }

  /** Reads no clock, which would cost a short call a tenth of its time: what ran after the last look at it is left out. */
  #count(tally: Tally): void {
    const { start, end, stolen } = this.#time;
    tally[TALLY_FUEL]! += this.#stop === undefined ? this.#charges.used() : this.#fuelAtStop;
    const seen = end > this.#slices.begun ? end : this.#slices.begun;
    if (seen !== start) tally[TALLY_CPU_MS]! += seen - start - stolen;
  }

  /** The same for a guest that may wait for its turn; neither throws nor rejects. */
  #refillLater(charge: Charge, kind: number, given: number): number | Promise<number> {
    const answer = this.#refill(charge, kind, given);
    if (answer === STOP) return answer;
    const turn = this.nextTurn?.(this.#slices.begun);
    return turn === undefined ? answer : turn.then(() => (this.#running ? answer : STOP));
  }

  /** The answer to a guest that asks to go on; never throws. */
  #refill(charge: Charge, asked: number, given: number): number {
    if (this.#stop !== undefined || !this.#running) return STOP;
    if (asked === RefillKind.stack)
      return this.#stopFor("STACK_EXHAUSTED", "stackBytes", charge.meta.stackBytes);
    if (asked === RefillKind.allocation) {
      return this.#stopFor("OUT_OF_MEMORY", "memoryBytes", charge.meta.memoryBytes);
    }
    const kind = asked === RefillKind.caught && isParked(given) ? RefillKind.host : asked;
    const charges = this.#charges;
    const slices = this.#slices;
    const time = this.#time;
    const counter = counterGiven(given) - charge.unseen;
    charge.unseen = 0;
    // It is handed on in this field alone: see RunTime.
    time.now = this.#clock.now();
    // the first that is heard of a guest which waited for a host function
    if (this.#idleSince !== undefined) this.wake(time.now);
    if (kind === RefillKind.slice && slices.isTooLong()) {
      const stolen = Math.min(slices.excess(), time.stoodStill());
      if (stolen > 0) time.giveBack(stolen);
    }
    if (time.now >= time.attendAt && time.attend()) this.#rehearse();
    slices.debt = 0;
    if (kind === RefillKind.caught) {
      slices.begun = time.now;
      return charges.takeBack(charge, counter);
    }
    if (kind === RefillKind.slice) charges.noteSlice(charge);
    else this.#returns++;
    const late = this.#lateness();
    if (late !== undefined) {
      if (kind !== RefillKind.slice) this.#stoppedAtReturn = this.#returns;
      return this.#stopFor(
        late === "signal" ? "ABORTED" : "DEADLINE_EXCEEDED",
        late,
        late === "cpuMs" ? time.cpuMs : undefined,
        charge,
        counter,
      );
    }
    // what is so far below would be taken for a stop
    if (kind === RefillKind.host && counter >= PARKED_BELOW) {
      slices.begun = time.now;
      return counter;
    }
    if (kind === RefillKind.memoryRefused) this.#refused.memory++;
    if (kind === RefillKind.tableRefused) this.#refused.table++;
    slices.adapt();
    slices.begun = time.now;
    if (counter >= 0) return counter;

    const next = charges.grant(charge, counter, slices.next());
    if (next < 0) return this.#stopFor("FUEL_EXHAUSTED", "fuel", charges.limit, charge, counter);
    slices.debt = -counter;
    return next;
  }

  /** Which limit of time has come, or whether the caller gave up. */
  #lateness(): "cpuMs" | "deadline" | "signal" | undefined {
    const time = this.#time;
    if (time.now >= time.cpuEnd) return "cpuMs";
    if (time.now >= time.deadline) return "deadline";
    if (this.#signal?.aborted === true || this.#interrupted() || this.#returns >= this.stopAtReturn)
      return "signal";
    return undefined;
  }

  #interrupted(): boolean {
    return this.#interrupt !== undefined && Atomics.load(this.#interrupt, 0) !== 0;
  }

  /** Does what a stop takes, on the guest's own time. The guest's slice has not lasted longer for it. */
  #rehearse(): void {
    const time = this.#time;
    const before = time.now;
    const stop: Stop = { code: "DEADLINE_EXCEEDED", limit: "cpuMs", value: time.cpuMs };
    const thrown = trapForNothing();
    try {
      if (this.rehearsal === undefined) this.stopError(stop, thrown);
      else this.rehearsal(stop, thrown);
    } catch {
      // What reads a stack trace may be the program's own code. A guest could catch what comes out of here.
    }
    time.now = this.#clock.now();
    this.#slices.begun += time.now - before;
  }

  #stopFor(
    code: Stop["code"],
    limit: Stop["limit"],
    value: number | undefined,
    charge?: Charge,
    counter = 0,
  ): number {
    this.#fuelAtStop = this.#charges.used(charge, counter);
    this.#stop = { code, limit, value };
    this.dead = true;
    return STOP;
  }

  /** A run that does not begin: the guest was not touched. */
  #refuse(code: Stop["code"], limit: Stop["limit"]): KeelsonError {
    this.#charges.refuse();
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
