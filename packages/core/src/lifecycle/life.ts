import type { KeelsonError } from "../contract/errors.ts";
import type { Module, ModuleContext } from "../contract/module.ts";
import type { UndoScope } from "../primitives/scope.ts";

/** A {@link ModuleContext} with the ends that the lifecycle holds. */
export interface LifeContext extends ModuleContext {
  readonly scope: UndoScope;
  /** Opens the doors: what was subscribed and hooked so far goes live. */
  activate(): void;
  /** Shuts them again, or one of them; what was asked before can still be answered. */
  deactivate(door?: "bus" | "hooks"): void;
  /** What is owed to those who asked over the doors: answers to requests, and what hooks wait for. */
  unanswered(): Promise<unknown>[];
  /** Fires the signal. */
  abort(): void;
  /** Closes the doors; later uses answer `DOOR_CLOSED`. */
  close(): void;
}

/** A call that has not ended, as far as the lifecycle must know it. */
export interface PendingCall {
  /** Where its generation keeps it; kept by {@link Life} alone, -1 outside of it. */
  place: number;
  /** Ends the call for its caller; its own promise is ignored from now on. */
  fail(error: KeelsonError): void;
}

/** One generation of a module, from the moment it begins to initialise until all of it is undone. */
export class Life {
  readonly generation: number;
  readonly context: LifeContext;
  module: Module | undefined;
  /** Whether start() was called: only then stop() is. */
  startCalled = false;
  /** The module has told of its exit after its end had begun. */
  exitedLate = false;
  /** Set once a stop, a failure or an exit has ended it: what its functions still answer is ignored. */
  over = false;
  /** Told when the module exits while it is stopping. */
  onExitWhileStopping: (() => void) | undefined;
  /**
   * Calls that wait for a promise of the module; made with the first of them. Not a Set: filled and emptied by call after call, one is laid
   * out anew every few calls, a quarter of an asynchronous call on Bun.
   */
  #calls: PendingCall[] | undefined;
  #idle: (() => void)[] | undefined;

  constructor(generation: number, context: LifeContext) {
    this.generation = generation;
    this.context = context;
  }

  /** Calls that have not ended. */
  get inFlight(): number {
    return this.#calls?.length ?? 0;
  }

  /** Takes note of a call that has begun. */
  began(call: PendingCall): void {
    const calls = (this.#calls ??= []);
    call.place = calls.length;
    calls.push(call);
  }

  /** Takes a call off the list. */
  ended(call: PendingCall): void {
    const calls = this.#calls;
    if (calls === undefined || calls[call.place] !== call) return;
    const last = calls.pop() as PendingCall;
    if (last !== call) {
      calls[call.place] = last;
      last.place = call.place;
    }
    call.place = -1;
    if (this.#idle === undefined || this.inFlight > 0) return;
    const idle = this.#idle;
    this.#idle = undefined;
    for (const run of idle) run();
  }

  /** Fails all calls that have not ended. */
  failCalls(error: KeelsonError): void {
    for (const call of [...(this.#calls ?? [])]) call.fail(error);
  }

  /** Runs `run` once no call is pending; at once if none is. */
  whenIdle(run: () => void): void {
    if (this.inFlight === 0) run();
    else (this.#idle ??= []).push(run);
  }
}
