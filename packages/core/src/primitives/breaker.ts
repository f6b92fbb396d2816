import type { Clock } from "../contract/platform.ts";
import { above0, requireOptions } from "./invalid-options.ts";

/** When a breaker opens, and for how long. */
export interface BreakerOptions {
  /** Failures that open it. Default 5. */
  readonly failures?: number;
  /** The sliding window in which they must fall, ms. Default 600,000: ten minutes. */
  readonly withinMs?: number;
  /** How long it stays open before one trial is let through, ms. Default: the window. */
  readonly coolDownMs?: number;
}

/** @throws KeelsonError `INVALID_OPTIONS` for what are no positive numbers */
export function requireBreaker(options: BreakerOptions | undefined): void {
  requireOptions("breaker", options, { failures: 1, withinMs: above0, coolDownMs: above0 }, Infinity);
}

/** closed: all may pass; open: none; half-open: one trial is on its way, and decides. */
export type BreakerState = "closed" | "open" | "half-open";

/** What {@link Breaker.enter} gives to one that may pass, to be handed back with the outcome. */
export type BreakerPass = "normal" | "trial";

/**
 * Cuts off what fails too often. Passing a closed breaker reads no clock. Successes do not undo failures: only time does, so that
 * something that fails every other time is cut off as well.
 */
export class Breaker {
  readonly #clock: Clock;
  readonly #withinMs: number;
  readonly #coolDownMs: number;
  readonly #limit: number;
  /** Times of the last failures, oldest first; shorter than the limit. */
  #failures: number[] = [];
  #state: BreakerState = "closed";
  #openedAt = 0;

  /** @throws KeelsonError `INVALID_OPTIONS` for what are no positive numbers */
  constructor(clock: Clock, options: BreakerOptions = {}) {
    const { failures = 5, withinMs = 600_000, coolDownMs = withinMs } = options ?? {};
    requireBreaker(options);
    this.#clock = clock;
    this.#limit = failures;
    this.#withinMs = withinMs;
    this.#coolDownMs = coolDownMs;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Asks to pass: undefined when refused. Whoever got a pass must report the outcome, the trial above all. */
  enter(): BreakerPass | undefined {
    if (this.#state === "closed") return "normal";
    if (this.#state === "half-open" || this.#clock.now() - this.#openedAt < this.#coolDownMs)
      return undefined;
    this.#state = "half-open";
    return "trial";
  }

  /** It went well; a trial closes the breaker and forgives all failures. */
  succeeded(pass: BreakerPass): void {
    if (pass !== "trial" || this.#state !== "half-open") return;
    this.#state = "closed";
  }

  /** It failed. Answers whether the breaker opened by this. Those that passed before it opened change nothing any more. */
  failed(pass: BreakerPass): boolean {
    const now = this.#clock.now();
    if (pass === "trial") {
      if (this.#state !== "half-open") return false;
      return this.#open(now);
    }
    if (this.#state !== "closed") return false;
    const oldest = now - this.#withinMs;
    this.#failures = this.#failures.filter((at) => at > oldest);
    this.#failures.push(now);
    return this.#failures.length >= this.#limit && this.#open(now);
  }

  /** It was not tried: a trial decides nothing, and the next one may try. */
  abandoned(pass: BreakerPass): void {
    if (pass === "trial" && this.#state === "half-open") this.#state = "open";
  }

  #open(now: number): true {
    this.#state = "open";
    this.#openedAt = now;
    this.#failures = [];
    return true;
  }
}
