import { tooLarge } from "./read/reader.ts";

/**
 * What compiling takes, by what validating took: all three engines do both at about the same speed. Twice, to be safe; what
 * is lazy or on other threads only makes it less.
 */
const COMPILE_PER_VALIDATION = 2;
/** So small a module is never refused: whatever is in it takes no engine long, and a clock that says so stood still for another reason. */
const SMALL_BYTES = 16_384;
/** Bytes of code between two looks at the clock. */
const LOOK_EVERY_BYTES = 65_536;

/**
 * The time that a module may take before it can run: what validating and rewriting took so far, and what compiling will
 * take by that measure. Without a clock there is no limit. The clock is the wall's: a machine that has other things to do must not make
 * a module look slow, so the part that seems to take too long to validate is validated once more, and the shorter time counts.
 */
export class CompileBudget {
  readonly #limitMs: number;
  readonly #now: (() => number) | undefined;
  #start: number;
  #validationMs = 0;
  #unseen = 0;

  /** @param bytes of the module */
  constructor(limitMs: number, bytes: number, now: (() => number) | undefined) {
    this.#limitMs = limitMs;
    this.#now = bytes > SMALL_BYTES ? now : undefined;
    this.#start = this.#now?.() ?? 0;
  }

  /** Validates the module in `parts`; throws `WASM_TOO_LARGE` once that takes too long, or compiling would, besides what `validate` throws. */
  validate(parts: Iterable<Uint8Array>, validate: (part: Uint8Array) => void): void {
    const now = this.#now;
    let before = this.#start;
    for (const part of parts) {
      validate(part);
      if (now === undefined) continue;
      const first = now() - before;
      this.#validationMs += first;
      if (this.#foreseen(1) > this.#limitMs) {
        const again = now();
        validate(part);
        const end = now();
        const faster = Math.min(first, end - again);
        this.#validationMs += faster - first;
        this.#start += end - before - faster;
      }
      this.check(1);
      before = now();
    }
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
    const ms = this.#foreseen(growth);
    if (ms > this.#limitMs) throw tooLarge("maxCompileMs", ms, this.#limitMs);
  }

  #foreseen(growth: number): number {
    if (this.#now === undefined) return 0;
    const ahead = this.#validationMs * COMPILE_PER_VALIDATION * growth;
    return Math.round(this.#now() - this.#start + ahead);
  }
}
