import { asKeelsonError, KeelsonError } from "../contract/errors.ts";
import type { Exit, ModuleDefinition, ModuleState } from "../contract/module.ts";
import type { Phase } from "../contract/kernel.ts";
import type { MaybePromise } from "../contract/value.ts";
import { Deferred, isPromise } from "../primitives/deferred.ts";
import type { PendingDeadline } from "../primitives/deadline.ts";
import { Outcome } from "../primitives/outcome.ts";
import {
  attempt,
  endedDuringCall,
  failedIn,
  type Failure,
  mayBeAlive,
  notInTime,
  requireModule,
} from "./failures.ts";
import { Life, type LifeContext } from "./life.ts";
import { Remains, type RemainsHost } from "./remains.ts";
import { illegalTransition, stoppedEarly, transitions, type Trigger } from "./states.ts";
import { within } from "./time-limit.ts";

/** What a lifecycle needs from the kernel around it. */
export interface LifecycleHost extends RemainsHost {
  /** The number of the next generation. */
  nextGeneration(): number;
  openContext(generation: number, exited: (exit: Exit) => void): LifeContext;
  /** Runs the hooks of a phase; undefined when there are none. */
  phase(phase: Phase): MaybePromise<void>;
  /** Told after the state is set. */
  onTransition(from: ModuleState, to: ModuleState, generation: number, error: KeelsonError | undefined): void;
  /** A start failed, or the module ended by itself. */
  onExit(exit: Exit): void;
}

const DEFAULT_STEP_MS = 10_000;

/**
 * Drives one definition through its generations by the table in states.ts. Requests may come at any time: they join, queue or abort
 * what is under way as the table says, so that nothing here ever waits behind a hung function of the module.
 *
 * To read it: the way up is `#begin`, `#create`, `#initialized`, `#runStart`, `#started`; the way down `#takeDown`, `#stopModule`, `#release`,
 * `#stopped`; what goes wrong on the way up is `#fail`, what ends by itself `#exited`. What is left of a generation, once it is over, is for the
 * {@link Remains}.
 */
export class Lifecycle {
  readonly definition: ModuleDefinition;
  readonly #host: LifecycleHost;
  #state: ModuleState = "loaded";
  #error: KeelsonError | undefined;
  /** The generation under way, from initializing until its end. */
  #life: Life | undefined;
  #generation = 0;
  /** The generation that takes calls. */
  #live: Life | undefined;
  #initDone: Outcome | undefined;
  /** Set while a start is wanted: initialising then goes on into starting. */
  #startDone: Outcome | undefined;
  #stopDone: Outcome | undefined;
  #startQueued: Deferred | undefined;
  readonly #remains: Remains;
  /** Of the step up that is under way. */
  #deadline: PendingDeadline | undefined;

  constructor(definition: ModuleDefinition, host: LifecycleHost) {
    this.definition = definition;
    this.#host = host;
    this.#remains = new Remains(definition, host);
  }

  get state(): ModuleState {
    return this.#state;
  }

  /** Why the module failed; undefined in every other state. */
  get error(): KeelsonError | undefined {
    return this.#error;
  }

  /** The generation that takes calls; undefined unless running. */
  get live(): Life | undefined {
    return this.#live;
  }

  /** The number of the generation under way, or of the last one; 0 before the first. */
  get generation(): number {
    return this.#generation;
  }

  /** The undoing of the last generation, while it goes on. */
  get ending(): Promise<void> | undefined {
    return this.#remains.ending;
  }

  init(): Promise<void> {
    const reaction = transitions[this.#state].init;
    switch (reaction.do) {
      case "nothing":
        return Promise.resolve();
      case "join":
        return (this.#initDone ??= new Outcome()).promise;
      case "enter": {
        const done = (this.#initDone = new Outcome());
        this.#begin();
        return done.promise;
      }
      default:
        return this.#illegal("init");
    }
  }

  start(): Promise<void> {
    const reaction = transitions[this.#state].start;
    switch (reaction.do) {
      case "nothing":
        return Promise.resolve();
      case "join":
        return (this.#startDone ??= new Outcome()).promise;
      case "queue":
        return (this.#startQueued ??= new Deferred()).promise;
      case "enter": {
        // An observer of "initialized" may ask before the start that is under way has got here.
        const done = (this.#startDone ??= new Outcome());
        if (reaction.to === "starting") this.#runStart(this.#life as Life);
        else this.#begin();
        return done.promise;
      }
      default:
        return this.#illegal("start");
    }
  }

  stop(): Promise<void> {
    const reaction = transitions[this.#state].stop;
    switch (reaction.do) {
      case "nothing":
        return this.#remains.ending ?? Promise.resolve();
      case "join":
        // Whoever speaks last is obeyed.
        this.rejectQueuedStart(stoppedEarly(this.#id));
        return (this.#stopDone as Outcome).promise;
      case "enter":
        if (reaction.to === "stopped") return this.#stopFailed();
        return this.#takeDown(this.#life as Life);
      default:
        return this.#illegal("stop");
    }
  }

  #illegal(trigger: Trigger): Promise<never> {
    return Promise.reject(illegalTransition(this.#id, this.#state, trigger));
  }

  /** Settles with the stop under way; undefined when there is none. */
  get stopping(): Promise<void> | undefined {
    return this.#stopDone?.promise;
  }

  /** Rejects what waits for a start after the present stop, for a module that is to be removed. */
  rejectQueuedStart(error: KeelsonError): void {
    this.#startQueued?.reject(error);
    this.#startQueued = undefined;
  }

  get #id(): string {
    return this.definition.metadata.id;
  }

  /**
   * Takes the step that the table has for `trigger`. State and generation are set before anybody is told, and `beforeTelling` runs in between:
   * an observer that asks for something at once finds everything in place.
   */
  #enter(trigger: Trigger, error?: KeelsonError, beforeTelling?: () => void): void {
    const from = this.#state;
    const reaction = transitions[from][trigger];
    if (reaction.do !== "enter") {
      throw new KeelsonError("INTERNAL", `"${trigger}" has no place in state ${from} of "${this.#id}"`);
    }
    const { to } = reaction;
    this.#state = to;
    this.#error = to === "failed" ? error : undefined;
    this.#generation = this.#life?.generation ?? this.#generation;
    if (to === "failed" || to === "stopped") this.#life = undefined;
    beforeTelling?.();
    this.#host.onTransition(from, to, this.#generation, error);
  }

  #begin(): void {
    const { undead } = this.#remains;
    if (undead !== undefined) {
      this.#refuseUndead(undead);
      return;
    }
    const generation = this.#host.nextGeneration();
    const context = this.#host.openContext(generation, (exit) => this.#exited(life, exit));
    const life: Life = new Life(generation, context);
    this.#life = life;
    this.#enter("init");
    this.#runInit(life);
  }

  /** A start while the last generation may be alive: refused, and told as an exit so that a supervisor counts it. */
  #refuseUndead(cause: KeelsonError): void {
    const error = mayBeAlive(this.#id, cause);
    this.#settleUp(error);
    this.#host.onExit({ reason: "crash", error });
  }

  // The steps up are continuations and not async functions: each goes on at once when the module answers at once.
  #runInit(life: Life): void {
    const { ending } = this.#remains;
    if (ending === undefined) this.#create(life);
    else void ending.then(() => this.#create(life));
  }

  #create(life: Life): void {
    if (life.over) return;
    this.#step(
      life,
      "init",
      () => {
        if (this.#remains.undead !== undefined) throw this.#remains.undead;
        return this.definition.create();
      },
      (module) => {
        life.module = module;
        this.#step(
          life,
          "init",
          () => requireModule(this.#id, module).init?.(life.context),
          () => this.#initialized(life),
        );
      },
    );
  }

  /** Runs one function of the module and goes on with its answer, unless the generation is over by then. */
  #step<T>(life: Life, step: "init" | "start", run: () => MaybePromise<T>, then: (value: T) => void): void {
    let answer: MaybePromise<T>;
    let later: boolean;
    try {
      answer = run();
      later = isPromise(answer);
    } catch (error) {
      if (!life.over) this.#fail(life, "error", failedIn(step, this.#id, error));
      return;
    }
    if (!later) {
      if (!life.over) then(answer as T);
      return;
    }
    const ms = this.definition.deadlines?.[`${step}Ms`] ?? DEFAULT_STEP_MS;
    const late = (): KeelsonError =>
      notInTime(step, this.#id, step === "init" ? "INIT_TIMEOUT" : "START_TIMEOUT", ms);
    within(this.#host, answer as Promise<T>, ms, late, (pending) => (this.#deadline = pending)).then(
      (value) => {
        if (!life.over) then(value);
      },
      (error: unknown) => {
        if (!life.over) this.#fail(life, "error", failedIn(step, this.#id, error));
      },
    );
  }

  #initialized(life: Life): void {
    const done = this.#initDone;
    this.#initDone = undefined;
    this.#enter("done");
    done?.resolve();
    // An observer of the state may have asked for something else just now.
    if (this.#startDone !== undefined && !life.over && this.#state === "initialized") this.#runStart(life);
  }

  #runStart(life: Life): void {
    this.#enter("start");
    if (life.over) return;
    const begin = (): MaybePromise<void> => {
      life.startCalled = true;
      return life.module?.start?.(life.context);
    };
    this.#step(
      life,
      "start",
      () => this.#host.phase("pre-start"),
      () =>
        this.#step(life, "start", begin, () =>
          this.#step(
            life,
            "start",
            () => this.#host.phase("post-start"),
            () => this.#started(life),
          ),
        ),
    );
  }

  #started(life: Life): void {
    const done = this.#startDone;
    this.#startDone = undefined;
    this.#live = life;
    this.#enter("done", undefined, () => life.context.activate());
    done?.resolve();
  }

  /** Settles what waits for init or start. */
  #settleUp(error: KeelsonError): void {
    this.#initDone?.reject(error);
    this.#startDone?.reject(error);
    this.#initDone = this.#startDone = undefined;
  }

  #fail(life: Life, trigger: Trigger, error: KeelsonError): void {
    const waiting = [this.#initDone, this.#startDone];
    this.#initDone = this.#startDone = undefined;
    let ending: Promise<void> | undefined;
    this.#enter(trigger, error, () => (ending = this.#end(life, () => error)));
    // Whoever waits for the start hears of its failure once everything is undone.
    for (const outcome of waiting) outcome?.reject(error, ending);
    this.#host.onExit({ reason: "crash", error });
  }

  #exited(life: Life, told: Exit): void {
    const thrown: unknown = told?.error;
    // It comes from the module's code, which may give anything.
    const exit: Exit = {
      reason: told?.reason === "normal" ? "normal" : "crash",
      ...(thrown == null
        ? {}
        : { error: asKeelsonError(thrown, "MODULE_FAILED", `Module "${this.#id}" ended by itself`) }),
    };
    if (life.over) {
      life.exitedLate = true;
      life.onExitWhileStopping?.();
      return;
    }
    if (this.#state === "running" && exit.reason === "normal") {
      this.#enter(
        "end",
        undefined,
        () => void this.#end(life, () => exit.error ?? endedDuringCall(this.#id, "ended by itself")),
      );
      this.#host.onExit(exit);
      return;
    }
    const error =
      exit.error ?? new KeelsonError("MODULE_FAILED", `Module "${this.#id}" ended while ${this.#state}`);
    this.#fail(life, "crash", error);
  }

  #takeDown(life: Life): Promise<void> {
    const done = (this.#stopDone = new Outcome());
    this.#live = undefined;
    life.over = true;
    this.#enter("stop");
    // Made only for somebody: an error takes its stack, which costs as much as the rest of a stop.
    if (this.#initDone !== undefined || this.#startDone !== undefined) this.#settleUp(stoppedEarly(this.#id));
    const before = attempt(() => this.#host.phase("pre-stop"));
    if (isPromise(before)) void before.then((failure) => this.#stopModule(life, done, failure));
    else this.#stopModule(life, done, before);
    return done.promise;
  }

  #stopModule(life: Life, done: Outcome, before: Failure): void {
    const stopped = attempt(() => {
      life.context.abort();
      if (!life.startCalled || life.module?.stop === undefined) return undefined;
      const answer = life.module.stop(life.context);
      return isPromise(answer) ? this.#remains.untilStopped(life, answer) : undefined;
    });
    const then = (failure: Failure): void => {
      const error = failure === undefined ? undefined : failedIn("stop", this.#id, failure.thrown);
      this.#remains.doubt(error);
      this.#release(
        life,
        done,
        error ?? (before === undefined ? undefined : failedIn("stop", this.#id, before.thrown)),
      );
    };
    if (isPromise(stopped)) void stopped.then(then);
    else then(stopped);
  }

  #release(life: Life, done: Outcome, failure: KeelsonError | undefined): void {
    const ending = this.#end(life, () => endedDuringCall(this.#id, "stopped"));
    const then = (): void => {
      const after = attempt(() => this.#host.phase("post-stop"));
      if (isPromise(after))
        void after.then((late) => this.#stopped(done, failure ?? this.#remains.undead, late));
      else this.#stopped(done, failure ?? this.#remains.undead, after);
    };
    if (ending === undefined) then();
    else void ending.then(then);
  }

  #stopped(done: Outcome, early: KeelsonError | undefined, late: Failure): void {
    const failure = early ?? (late === undefined ? undefined : failedIn("stop", this.#id, late.thrown));
    this.#stopDone = undefined;
    const queued = this.#startQueued;
    this.#startQueued = undefined;
    this.#enter(failure === undefined ? "done" : "error", failure);
    if (failure === undefined) done.resolve();
    else done.reject(failure);
    if (queued !== undefined) this.start().then(queued.resolve, queued.reject);
  }

  async #stopFailed(): Promise<void> {
    if (this.#remains.ending !== undefined) await this.#remains.ending;
    if (this.#state !== "failed") return this.stop();
    if (this.#remains.undead !== undefined) throw this.#remains.undead;
    this.#enter("stop");
  }

  /** Undoes a generation; undefined when there is nothing to wait for. */
  #end(life: Life, why: () => KeelsonError): Promise<void> | undefined {
    life.over = true;
    if (this.#live === life) this.#live = undefined;
    this.#forgetDeadline();
    return this.#remains.end(life, why);
  }

  #forgetDeadline(): void {
    if (this.#deadline !== undefined) this.#host.deadlines.cancel(this.#deadline);
    this.#deadline = undefined;
  }
}
