import type { Clock } from "../contract/platform.ts";
import { Deferred } from "../primitives/deferred.ts";

/** Read so much, and see whether timers still run. */
const LOOK_BYTES = 65_536;
/** Read so much without a timer having run, and wait for one. */
const WAIT_BYTES = 262_144;

/**
 * Lets timers and other work have their turn while a child floods its output. Some runtimes answer a read of a full pipe at once, so that
 * whoever reads on and on never comes back to the event loop: no deadline would pass, no other module would be heard.
 */
export class Pace {
  readonly #clock: Clock;
  #bytes = 0;
  #turn: Deferred | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes note of `bytes` read. A promise: wait for it before reading on. */
  read(bytes: number): Promise<void> | undefined {
    this.#bytes += bytes;
    if (this.#bytes < LOOK_BYTES) return undefined;
    if (this.#turn === undefined) {
      const turn = (this.#turn = new Deferred());
      this.#clock.after(
        0,
        () => {
          this.#turn = undefined;
          this.#bytes = 0;
          turn.resolve();
        },
        true,
      );
    }
    return this.#bytes < WAIT_BYTES ? undefined : this.#turn.promise;
  }
}
