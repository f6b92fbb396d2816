import {
  isKeelsonError,
  KeelsonError,
  type Call,
  type Clock,
  type Instance,
  type Log,
  type StopReason,
  type Value,
} from "@keelson/core";
import { unknownMethod } from "../abi/profile.ts";
import { BrokenMessage } from "./codec.ts";
import type { Crew } from "./crew.ts";
import type { HostCalls } from "./host-calls.ts";
import type { Line } from "./line.ts";
import { writeCall, type Answer } from "./messages.ts";

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
    // What is no text is no name, and could not be sent.
    if (typeof method !== "string") throw unknownMethod(this.#options.id, method, []);
    const leftMs = deadline - RETURN_MS - this.#options.clock.now();
    const message = writeCall({ method, payload, leftMs, measure: measurement !== undefined }, line.head);
    this.#busy = true;
    try {
      if (line.failure !== undefined) line = await this.#replace(call.signal);
      const answer = await this.#ask(line, message, call);
      if (measurement !== undefined && answer.kind !== "made") measurement.usage = answer.usage;
      return this.#value(line, answer, call);
    } finally {
      this.#busy = false;
    }
  }

  /** It died while nobody used it: what it knew is lost as with any instance that ends, and the call need not fail for it. */
  async #replace(signal: AbortSignal): Promise<Line> {
    const { crew, open } = this.#options;
    crew.giveBack(this.#line, false);
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    const opening = open();
    try {
      const { line, memoryBytes, host } = await Promise.race([opening, aborted.promise]);
      this.#line = line;
      this.#host = host;
      this.memoryBytes = memoryBytes;
      return line;
    } catch (error) {
      this.#dead = true;
      void opening.then(
        ({ line }) => crew.giveBack(line, true),
        () => undefined,
      );
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
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
      return await crew.ask(line, message);
    } catch (error) {
      this.#dead = true;
      crew.end(line);
      // Ended to end this call: then the reason is the call's own.
      if (signal.aborted && isKeelsonError(signal.reason)) throw killed(id, call, signal.reason);
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
      stop[Symbol.dispose]();
    }
  }

  #value(line: Line, answer: Answer, { signal }: Call): Value {
    this.memoryBytes = answer.memoryBytes;
    if (answer.kind === "answer") return answer.value;
    if (answer.kind === "made") {
      this.#dead = true;
      throw line.distrust(new BrokenMessage("an instance is made where a call is answered"));
    }
    if (answer.dead) this.#dead = true;
    if (isKeelsonError(signal.reason, "DEADLINE_EXCEEDED")) throw lateStop(answer.error);
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

/** The error of a call whose guest was killed with its process: what it used is lost. */
function killed(module: string, { method }: Call, why: KeelsonError): KeelsonError {
  const limit: StopReason = why.code === "DEADLINE_EXCEEDED" ? "deadline" : "signal";
  return new KeelsonError(why.code, `${module}: ${method} was ended with the guest's process`, {
    hint: "the module starts another for its next call",
    details: { module, method, limit },
    cause: why,
  });
}

/** A guest may see that it is told to stop before it sees that its time is over. */
function lateStop(error: KeelsonError): KeelsonError {
  if (error.code !== "ABORTED" || error.details?.["limit"] !== "signal") return error;
  const { message, details } = error;
  return new KeelsonError("DEADLINE_EXCEEDED", message.split("\n", 1)[0] ?? message, {
    hint: "raise timeoutMs, or give the guest less to do in one call",
    details: { ...details, limit: "deadline" satisfies StopReason },
  });
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
