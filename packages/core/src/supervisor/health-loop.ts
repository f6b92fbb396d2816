import type { Filled } from "../primitives/given.ts";
import { asKeelsonError, KeelsonError, plainMessage } from "../contract/errors.ts";
import type { Clock, Log } from "../contract/platform.ts";
import type { HealthCheckOptions, Supervised } from "../contract/supervised.ts";
import { requireOptions } from "../primitives/invalid-options.ts";

/** Asks a child for its health, again and again, until it failed too often in a row or {@link HealthLoop.stop} is called. */
export class HealthLoop {
  readonly #child: Supervised;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: Filled<HealthCheckOptions>;
  readonly #onUnhealthy: (error: KeelsonError) => void;
  #timer: Disposable | undefined;
  #asking: AbortController | undefined;
  #failures = 0;

  constructor(
    child: Supervised,
    clock: Clock,
    log: Log,
    options: Filled<HealthCheckOptions>,
    onUnhealthy: (error: KeelsonError) => void,
  ) {
    this.#child = child;
    this.#clock = clock;
    this.#log = log;
    this.#options = options;
    this.#onUnhealthy = onUnhealthy;
  }

  /** Begins anew: the first question comes after one interval. */
  start(): void {
    this.stop();
    this.#failures = 0;
    this.#wait();
  }

  /** Ends the loop, and the question under way. */
  stop(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const asking = this.#asking;
    this.#asking = undefined;
    asking?.abort(new KeelsonError("ABORTED", `The health check of ${this.#child.id} was given up`));
  }

  #wait(): void {
    this.#timer = this.#clock.after(this.#options.everyMs, () => this.#ask(), true);
  }

  #ask(): void {
    const { id } = this.#child;
    const { timeoutMs } = this.#options;
    const asking = new AbortController();
    this.#asking = asking;
    this.#timer = this.#clock.after(
      timeoutMs,
      () => {
        const late = new KeelsonError(
          "UNHEALTHY",
          `${id} did not answer its health check within ${timeoutMs} ms`,
        );
        this.#answered(asking, late);
        asking.abort(late);
      },
      true,
    );
    const failed = (cause: unknown): void => {
      this.#answered(asking, asKeelsonError(cause, "UNHEALTHY", `The health check of ${id} failed`));
    };
    try {
      this.#child
        .health?.(asking.signal)
        .then((health) => {
          const { healthy, message } = health;
          const why = message === undefined ? "." : `: ${message}`;
          this.#answered(
            asking,
            healthy === true
              ? undefined
              : new KeelsonError("UNHEALTHY", `${id} says it is not healthy${why}`),
          );
        })
        .catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** The first answer to a question counts; those to a question given up do not. */
  #answered(asking: AbortController, error: KeelsonError | undefined): void {
    if (this.#asking !== asking) return;
    this.#asking = undefined;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (error === undefined) this.#failures = 0;
    else {
      this.#failures++;
      const { failures } = this.#options;
      this.#log.write("warn", `Health check of ${this.#child.id} failed: ${plainMessage(error)}`, {
        module: this.#child.id,
        code: error.code,
        failures: this.#failures,
      });
      if (this.#failures >= failures) {
        this.#onUnhealthy(
          new KeelsonError(
            "UNHEALTHY",
            `${this.#child.id} failed ${failures} health checks in a row: ${plainMessage(error)}`,
            {
              details: { failures },
              cause: error,
            },
          ),
        );
        return;
      }
    }
    this.#wait();
  }
}

/** Health options with defaults filled in. Throws `INVALID_OPTIONS` for what is out of range. */
export function parseHealthOptions(options: HealthCheckOptions): Filled<HealthCheckOptions> {
  const { everyMs = 30_000, timeoutMs = 5_000, failures = 3 } = options;
  requireOptions("restart.health", options, { everyMs: 1, timeoutMs: 1, failures: 1 });
  return { everyMs, timeoutMs, failures };
}
