import { tooLarge } from "./reader.ts";

/**
 * What compiling takes, by what validating took: all three engines do both at about the same speed. Twice, to be safe; what
 * is lazy or on other threads only makes it less.
 */
const COMPILE_PER_VALIDATION = 2;
/** Bytes of code between two looks at the clock. */
const LOOK_EVERY_BYTES = 65_536;

/**
 * The time that a module may take before it can run: what validating and rewriting took so far, and what compiling will
 * take by that measure. Without a clock there is no limit.
 */
export class CompileBudget {
  readonly #limitMs: number;
  readonly #now: (() => number) | undefined;
  readonly #start: number;
  #validationMs = 0;
  #unseen = 0;

  constructor(limitMs: number, now: (() => number) | undefined) {
    this.#limitMs = limitMs;
    this.#now = now;
    this.#start = now?.() ?? 0;
  }

  /** Validating is over; throws `WASM_TOO_LARGE` when it took too long, or compiling would. */
  validated(): void {
    if (this.#now === undefined) return;
    this.#validationMs = this.#now() - this.#start;
    this.check(1);
  }

  /** So many bytes more were rewritten. */
  rewrote(bytes: number): void {
    this.#unseen += bytes;
    if (this.#unseen < LOOK_EVERY_BYTES) return;
    this.#unseen = 0;
    this.check(1);
  }

  /** Throws `WASM_TOO_LARGE` when the limit is passed; `growth`: how much larger than the original what is compiled will be. */
  check(growth: number): void {
    if (this.#now === undefined) return;
    const ahead = this.#validationMs * COMPILE_PER_VALIDATION * growth;
    const ms = Math.round(this.#now() - this.#start + ahead);
    if (ms > this.#limitMs) throw tooLarge("maxCompileMs", ms, this.#limitMs);
  }
}
