import { isKeelsonError, KeelsonError, type ErrorCode } from "../contract/errors.ts";
import type { Counter, Metrics } from "../contract/metrics.ts";
import type { Clock } from "../contract/platform.ts";
import { stopOf, type StopDetails, type StopReason } from "../contract/usage.ts";
import type { Value } from "../contract/value.ts";
import { type ParsedQuarantine, Quarantine, refusals } from "../primitives/quarantine.ts";

/** What a guard needs of its module and its kernel. */
export interface StopGuardHost {
  readonly id: string;
  readonly clock: Clock;
  metrics(): Metrics;
  publish(topic: string, data: Value): void;
  /** The module begins to be refused, or is taken back; calls that wait for their turn are to be refused with the error, if there is one. */
  changed(refusal: KeelsonError | undefined): void;
}

/** After these nobody knows what the guest would have done: the call was given up, or did not come to it. */
const undecided: ReadonlySet<ErrorCode> = new Set([
  "ABORTED",
  "DEADLINE_EXCEEDED",
  "CHECKOUT_TIMEOUT",
  "POOL_EXHAUSTED",
  "POOL_CLOSED",
  "CALL_CYCLE",
  "INSTANCE_LIMIT",
  "MODULE_NOT_RUNNING",
  "UNKNOWN_METHOD",
  "INVALID_PAYLOAD",
  "UNSUPPORTED",
  "WOULD_BLOCK",
]);

/**
 * Watches over one generation of a module whose guest was stopped: counts the stops, and refuses the module while it is in
 * quarantine. Made with the first stop, so that a module which behaves costs nothing.
 */
export class StopGuard {
  readonly #host: StopGuardHost;
  readonly #minRunMs: number;
  readonly #quarantine: Quarantine | undefined;
  /** Kept, since to find one by its labels takes longer than all else here, and the caller waits for it. */
  readonly #stops: Partial<Record<StopReason, Counter>> = {};
  #over = false;

  /** @param options undefined: stops are counted, and nothing is refused */
  constructor(host: StopGuardHost, options: ParsedQuarantine | undefined) {
    this.#host = host;
    this.#minRunMs = options?.minRunMs ?? 0;
    this.#quarantine = options && new Quarantine(host.clock, options);
  }

  /** Whether calls must ask {@link admit}. */
  get holds(): boolean {
    return this.#quarantine?.holds === true;
  }

  get status(): Quarantine["status"] {
    return this.#quarantine?.status;
  }

  /** A call ended with a stop. */
  stopped(stop: StopDetails, error: KeelsonError): void {
    this.#counter(stop.limit).add();
    if (this.#over || !this.#counts(stop) || this.#quarantine?.stopped() !== true) return;
    this.#host.changed(this.#refusal(this.#quarantine));
    this.#tell(error);
  }

  #counter(reason: StopReason): Counter {
    const help = { help: "Guests that were stopped, by the limit they ran into." };
    return (this.#stops[reason] ??= this.#host
      .metrics()
      .counter("keelson_guest_stops_total", help, { reason }));
  }

  /**
   * Lets a call pass as the trial.
   * @throws KeelsonError `MODULE_QUARANTINED`
   */
  admit(): Trial {
    const quarantine = this.#quarantine as Quarantine;
    if (quarantine.admit()) return { ended: (error) => this.#tried(quarantine, error) };
    const help = { help: "Calls that were refused since the module is in quarantine." };
    this.#host.metrics().counter("keelson_quarantine_refusals_total", help).add();
    throw this.#refusal(quarantine);
  }

  /** The generation is over; whatever is still on its way decides nothing. */
  end(): void {
    this.#over = true;
    if (this.#quarantine?.holds === true) this.#release(this.#quarantine, "new-generation");
  }

  #tried(quarantine: Quarantine, error: unknown): void {
    if (this.#over) return;
    const stop = stopOf(error, this.#host.id);
    if (stop !== undefined && this.#counts(stop)) {
      quarantine.failed();
      this.#tell(error as KeelsonError);
    } else if (isKeelsonError(error) && undecided.has(error.code)) quarantine.undecided();
    else this.#release(quarantine, "trial");
  }

  #release(quarantine: Quarantine, by: "trial" | "new-generation"): void {
    const { failedTrials = 0, refused = 0 } = quarantine.status ?? {};
    quarantine.passed();
    this.#host.changed(undefined);
    this.#host.publish("module.released", { id: this.#host.id, by, failed_trials: failedTrials, refused });
  }

  #counts({ limit, usage }: StopDetails): boolean {
    if (limit === "signal") return false;
    return limit !== "deadline" || usage === undefined || usage.cpuMs >= this.#minRunMs;
  }

  #tell({ code, message }: KeelsonError): void {
    const { id } = this.#host;
    const { lastsMs = 0, failedTrials = 0 } = this.status ?? {};
    const help = { help: "Times that the module was put in quarantine, or kept there by a trial." };
    this.#host.metrics().counter("keelson_quarantines_total", help).add();
    this.#host.publish("module.quarantined", {
      id,
      lasts_ms: lastsMs,
      failed_trials: failedTrials,
      code,
      message,
    });
  }

  #refusal(quarantine: Quarantine): KeelsonError {
    const { id } = this.#host;
    const { trialInMs = 0, onTrial = false, failedTrials = 0 } = quarantine.status ?? {};
    const when = onTrial ? "a call on trial is on its way" : `for ${Math.ceil(trialInMs)} ms more`;
    const error = new KeelsonError(
      "MODULE_QUARANTINED",
      `Module "${id}" was stopped too often and is refused: ${when}`,
      {
        hint: `the next call after that decides; reload("${id}") with a better version begins anew`,
        details: { id, trialInMs, onTrial, failedTrials },
      },
    );
    refusals.add(error);
    return error;
  }
}

/** One call that decides whether a quarantine ends. */
export interface Trial {
  /** To be told exactly once: undefined for an answer, else what the call failed with. */
  ended(error: unknown): void;
}
