import {
  asKeelsonError,
  isKeelsonError,
  KeelsonError,
  type Call,
  type Clock,
  type Instance,
  type Log,
  type Value,
} from "@keelson/core";
import type { Crew } from "./crew.ts";
import type { HostCalls } from "./host-calls.ts";
import type { Line } from "./line.ts";
import { readAnswer, writeCall, type Answer } from "./messages.ts";

/**
 * What of a call's time is kept for the way back, ms: a guest that runs into its deadline is to say so, and what it used, before its caller
 * gives up.
 */
const RETURN_MS = 1.5;

/** How one isolation level stops its guests. */
export interface StopManners {
  /** Whether a guest that comes back from its host can be relied on to stop. */
  readonly metered: boolean;
  /** Time that a guest has to see its deadline itself before it is stopped, ms. What sees it itself can be used again. */
  readonly deadlineGraceMs: number;
  /** Time after which a guest that was told to stop is given up, ms. */
  readonly lostMs: number;
}

/** What stands on the host's side for one instance elsewhere. */
export interface Opened {
  readonly line: Line;
  readonly memoryBytes: number;
  /** Set when its guest may call the host. */
  readonly host: HostCalls | undefined;
}

/** Options of {@link IsolatedInstance}. */
export interface IsolatedInstanceOptions {
  readonly id: string;
  readonly crew: Crew;
  readonly clock: Pick<Clock, "now" | "after">;
  readonly log: Log;
  readonly manners: StopManners;
  /** Makes another in its place. */
  open(): Promise<Opened>;
}

/** An instance in a thread or a child, called over its line. */
export class IsolatedInstance implements Instance {
  memoryBytes: number;
  readonly #options: IsolatedInstanceOptions;
  #line: Line;
  #host: HostCalls | undefined;
  #dead = false;
  #busy = false;
  #release: (() => void) | undefined;

  /** @param release called once, when the instance is disposed */
  constructor(options: IsolatedInstanceOptions, { line, memoryBytes, host }: Opened, release: () => void) {
    this.#options = options;
    this.#line = line;
    this.#host = host;
    this.memoryBytes = memoryBytes;
    this.#release = release;
  }

  get dead(): boolean {
    return this.#dead;
  }

  call(call: Call): Promise<Value> {
    if (this.#dead) return Promise.reject(this.#gone());
    return this.#call(call);
  }

  async #call(call: Call): Promise<Value> {
    // Before anything is asked: what cannot be sent leaves the instance as it was.
    let line = this.#line;
    const { method, payload, deadline, measurement } = call;
    const leftMs = deadline - RETURN_MS - this.#options.clock.now();
    const message = writeCall({ method, payload, leftMs, measure: measurement !== undefined }, line.head);
    this.#busy = true;
    try {
      if (line.failure !== undefined) line = await this.#replace();
      const answer = await this.#ask(line, message, call);
      if (measurement !== undefined && answer.kind !== "made") measurement.usage = answer.usage;
      return this.#value(answer);
    } finally {
      this.#busy = false;
    }
  }

  /** It died while nobody used it: what it knew is lost as with any instance that ends, and the call need not fail for it. */
  async #replace(): Promise<Line> {
    const { crew, open } = this.#options;
    crew.giveBack(this.#line, false);
    try {
      const { line, memoryBytes, host } = await open();
      this.#line = line;
      this.#host = host;
      this.memoryBytes = memoryBytes;
      return line;
    } catch (error) {
      this.#dead = true;
      throw error;
    }
  }

  async #ask(line: Line, message: Uint8Array<ArrayBuffer>, call: Call): Promise<Answer> {
    const { signal } = call;
    const { id, crew, clock, log, manners } = this.#options;
    const host = this.#host;
    const stop = new Stopping(line, host, call, clock, manners, (why) => {
      log.write("warn", `a guest in ${call.method} could not be stopped and is given up`);
      crew.end(line, why);
    });
    const onAbort = (): void => {
      // Whatever it says from now on, it was stopped half-way.
      this.#dead = true;
      stop.begin();
    };
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    host?.begin(call);
    try {
      return readAnswer(await line.ask(message), line.head);
    } catch (error) {
      this.#dead = true;
      crew.end(line);
      // Ended to end this call: then the reason is the call's own.
      if (signal.aborted && isKeelsonError(signal.reason)) throw signal.reason;
      throw asKeelsonError(error, "INTERNAL", `${id}: the guest's side answered nonsense`);
    } finally {
      signal.removeEventListener("abort", onAbort);
      stop[Symbol.dispose]();
    }
  }

  #value(answer: Answer): Value {
    this.memoryBytes = answer.memoryBytes;
    if (answer.kind === "answer") return answer.value;
    if (answer.kind === "made")
      throw new KeelsonError("INTERNAL", `${this.#options.id}: an answer to no question`);
    if (answer.dead) this.#dead = true;
    throw answer.hostThrew && this.#host !== undefined ? this.#host.original(answer.error) : answer.error;
  }

  [Symbol.dispose](): void {
    const reuse = this.#dead;
    this.#dead = true;
    const release = this.#release;
    if (release === undefined) return;
    this.#release = undefined;
    release();
    // One that is not needed any more is ended; one that was stopped makes room for its successor, which is needed soon.
    const { crew } = this.#options;
    if (this.#busy) crew.end(this.#line);
    else crew.giveBack(this.#line, reuse);
  }

  #gone(): KeelsonError {
    const { id } = this.#options;
    return new KeelsonError("WASM_TRAP", `${id}: this instance ended before`, {
      hint: "a dead instance is never used again; take another lease",
      details: { kind: "other", module: id },
    });
  }
}

/** Stops what runs on a line, politely first where that helps, and gives it up when it does not end. */
class Stopping implements Disposable {
  readonly #line: Line;
  readonly #host: HostCalls | undefined;
  readonly #call: Call;
  readonly #clock: Pick<Clock, "after">;
  readonly #manners: StopManners;
  readonly #giveUp: (why: KeelsonError) => void;
  #timer: Disposable | undefined;

  constructor(
    line: Line,
    host: HostCalls | undefined,
    call: Call,
    clock: Pick<Clock, "after">,
    manners: StopManners,
    giveUp: (why: KeelsonError) => void,
  ) {
    this.#line = line;
    this.#host = host;
    this.#call = call;
    this.#clock = clock;
    this.#manners = manners;
    this.#giveUp = giveUp;
  }

  begin(): void {
    const { deadlineGraceMs, metered } = this.#manners;
    const late = isKeelsonError(this.#call.signal.reason, "DEADLINE_EXCEEDED");
    // One that waits for its host looks neither at the time nor at a flag, but stops itself once it is told.
    const told = metered && this.#host?.giveUp(late ? "DEADLINE_EXCEEDED" : "ABORTED") === true;
    if (deadlineGraceMs > 0 && (late || told))
      this.#timer = this.#clock.after(deadlineGraceMs, () => this.#stop());
    else this.#stop();
  }

  #stop(): void {
    const { lostMs } = this.#manners;
    this.#line.stop();
    const { reason } = this.#call.signal;
    const why = isKeelsonError(reason) ? reason : new KeelsonError("ABORTED", "the call was ended");
    this.#timer = this.#clock.after(lostMs, () => this.#giveUp(why));
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}
