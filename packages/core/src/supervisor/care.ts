import { asKeelsonError, KeelsonError, withoutFrames } from "../contract/errors.ts";
import type { Exit } from "../contract/module.ts";
import type { Clock, Log, Random } from "../contract/platform.ts";
import type {
  RestartOptions,
  RestartPolicy,
  Supervised,
  SupervisedEvent,
  SupervisorState,
  SupervisorTransition,
  SupervisorView,
} from "../contract/supervised.ts";
import type { Backoff } from "../primitives/backoff.ts";
import { HealthLoop } from "./health-loop.ts";
import type { Intensity } from "./intensity.ts";
import { parseRestart } from "./restart.ts";

/** What {@link Care} works with. */
export interface CareContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly record: (transition: SupervisorTransition) => void;
}

/** Something that the supervisor does to the child; `told` once its event has come. */
interface Matter {
  readonly what: "start" | "stop";
  told: boolean;
}

/** One child's supervision: what its events mean, and what is done about them. */
export class Care {
  readonly #child: Supervised;
  readonly #context: CareContext;
  readonly #policy: RestartPolicy;
  readonly #intensity: Intensity;
  readonly #backoff: Backoff;
  readonly #health: HealthLoop | undefined;
  readonly #subscription: Disposable;
  #state: SupervisorState | undefined;
  #attempt = 0;
  #restarts = 0;
  #gaveUp = false;
  /** Restarts since the child last ran for long; what the backoff grows with. */
  #streak = 0;
  #healthySince: number | undefined;
  #pendingRestart: Disposable | undefined;
  /**
   * What the supervisor itself has under way. A start is over with the child's answer, a stop when `stop()` has settled. Another object means
   * another matter: whatever continues an older one does nothing.
   */
  #own: Matter | undefined;
  /** Transitions so far; tells whether a listener to one has meddled. */
  #entered = 0;
  #ended = false;

  constructor(child: Supervised, options: RestartOptions, context: CareContext) {
    const { policy, intensity, backoff, health } = parseRestart(options);
    this.#child = child;
    this.#context = context;
    this.#policy = policy;
    this.#intensity = intensity;
    this.#backoff = backoff;
    if (health !== undefined && child.health !== undefined) {
      this.#health = new HealthLoop(child, context.clock, context.log, health, (error) =>
        this.#unhealthy(error),
      );
    }
    this.#subscription = child.onEvent((event) => this.#heard(event));
  }

  view(): SupervisorView {
    return {
      state: this.#state ?? "stopped",
      attempt: this.#attempt,
      restarts: this.#restarts,
      gaveUp: this.#gaveUp,
    };
  }

  /** Ends the supervision; the child goes on as it is. */
  end(): void {
    this.#ended = true;
    this.#subscription[Symbol.dispose]();
    this.#dropTimers();
    this.#own = undefined;
  }

  #heard(event: SupervisedEvent): void {
    if (this.#ended) return;
    switch (event.type) {
      case "starting":
        if (this.#own?.what !== "start") this.#takenOver();
        if (this.#state !== "starting") this.#enter("starting");
        return;
      case "started":
        // Told again after a reload that failed.
        if (this.#state === "healthy") return;
        if (this.#own?.what !== "start" && this.#state !== "starting") this.#takenOver();
        return this.#started();
      case "stopped":
        return this.#stopped(event.by);
      case "exited":
        return this.#exited(event.exit);
    }
  }

  /** Somebody stops or starts the child by hand: all that was counted is forgotten. */
  #takenOver(): void {
    this.#dropTimers();
    this.#own = undefined;
    this.#attempt = 0;
    this.#streak = 0;
    this.#gaveUp = false;
    this.#intensity.reset();
  }

  #dropTimers(): void {
    this.#pendingRestart?.[Symbol.dispose]();
    this.#pendingRestart = undefined;
    this.#health?.stop();
  }

  #started(): void {
    this.#own = undefined;
    this.#healthySince = this.#context.clock.now();
    this.#health?.start();
    this.#enter("healthy");
  }

  #stopped(by: "supervisor" | "other" | undefined): void {
    const own = this.#own;
    if (own?.what === "stop" && by !== "other" && !own.told) {
      own.told = true;
      return;
    }
    if (by === "supervisor") return;
    this.#takenOver();
    if (this.#state !== "stopped") this.#enter("stopped");
  }

  #exited(exit: Exit): void {
    // A child ends once: after an end there is nothing to decide, nor during a stop that decides when it is done.
    if (this.#own?.what === "stop" || this.#pendingRestart !== undefined || this.#state === "stopped") return;
    this.#own = undefined;
    this.#dropTimers();
    this.#after(exit);
  }

  #unhealthy(error: KeelsonError): void {
    const matter: Matter = { what: "stop", told: false };
    this.#own = matter;
    this.#enter("failed", error);
    const done = (): void => {
      if (this.#own !== matter) return;
      this.#own = undefined;
      this.#decide({ reason: "crash", error });
    };
    // Starting beside a child that hangs in its stop would make two: the stop's own deadline ends the wait.
    settled(
      () => (this.#own === matter ? this.#child.stop() : undefined),
      done,
      (cause) => {
        const failure = asKeelsonError(
          cause,
          "MODULE_FAILED",
          `${this.#child.id} could not be stopped cleanly`,
        );
        this.#context.log.write("warn", failure.message, { module: this.#child.id, code: failure.code });
        done();
      },
    );
  }

  /** The child is down. Tells so, then decides. */
  #after(exit: Exit): void {
    if (exit.reason === "crash") {
      const turn = this.#entered + 1;
      this.#enter(
        "failed",
        exit.error ?? new KeelsonError("MODULE_FAILED", `${this.#child.id} ended unexpectedly`),
      );
      if (this.#entered !== turn) return;
    }
    this.#decide(exit);
  }

  #decide(exit: Exit): void {
    if (this.#ended) return;
    const { clock, random } = this.#context;
    const wanted = this.#policy === "always" || (this.#policy === "on-failure" && exit.reason === "crash");
    if (!wanted) return this.#enter("stopped");
    const now = clock.now();
    const { max, withinMs } = this.#intensity;
    if (this.#healthySince !== undefined && now - this.#healthySince >= withinMs) this.#streak = 0;
    this.#healthySince = undefined;
    if (!this.#intensity.take(now)) {
      this.#gaveUp = true;
      const error = new KeelsonError(
        "RESTART_LIMIT",
        `${this.#child.id} needed more than ${max} restarts in ${withinMs} ms; it is left stopped`,
        {
          hint: "see what made it end (the cause), then start it by hand",
          details: { id: this.#child.id, max, withinMs, restarts: this.#restarts },
          cause: exit.error,
        },
      );
      return this.#enter("stopped", error);
    }
    this.#attempt++;
    this.#streak++;
    this.#pendingRestart = clock.after(
      this.#backoff.waitMs(this.#streak, random.number()),
      () => this.#restart(),
      true,
    );
    this.#enter("restarting");
  }

  #restart(): void {
    this.#pendingRestart = undefined;
    this.#restarts++;
    const matter: Matter = { what: "start", told: false };
    this.#own = matter;
    // Events come before the promise settles. Only a start that told nothing is judged by its promise: refused from the
    // outset, or on a child that runs already.
    settled(
      () => this.#child.start(),
      () => {
        if (this.#own === matter) this.#started();
      },
      (cause) => {
        if (this.#own !== matter) return;
        this.#exited({
          reason: "crash",
          error: asKeelsonError(cause, "MODULE_FAILED", `${this.#child.id} could not be started again`),
        });
      },
    );
  }

  #enter(to: SupervisorState, error?: KeelsonError): void {
    const from = this.#state;
    this.#state = to;
    this.#entered++;
    const { clock, record } = this.#context;
    const transition = { id: this.#child.id, from, to, attempt: this.#attempt, at: clock.wall() };
    // It is kept, and would keep what ended.
    record(error === undefined ? transition : { ...transition, error: withoutFrames(error) });
  }
}

/** Runs `begin` and one of the others once it has settled; a throw is a rejection. Nothing is ever left unhandled. */
function settled(
  begin: () => Promise<void> | undefined,
  done: () => void,
  failed: (cause: unknown) => void,
): void {
  let promise: Promise<void> | undefined;
  try {
    promise = begin();
  } catch (error) {
    return failed(error);
  }
  if (promise === undefined) return done();
  promise.then(done, failed);
}
