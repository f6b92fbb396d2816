/** A guest that waits for its next slice, with its place in a {@link WaitingLine}. */
export interface Waiting {
  /** Lets it go on; it runs as soon as whoever calls this has returned. */
  readonly resume: () => void;
  /** For the line alone. */
  before: Waiting | undefined;
  /** For the line alone. */
  behind: Waiting | undefined;
}

/**
 * Guests in the order in which they began to wait; each knows its neighbours, so that nothing is allocated. A Set would be made anew
 * each time its table is full of holes, and on V8 each old table keeps the next one alive until a full collection: half of all
 * that thousands of slices a second allocate would be kept until then.
 */
export class WaitingLine {
  #first: Waiting | undefined;
  #last: Waiting | undefined;

  /** Who has waited longest. */
  get first(): Waiting | undefined {
    return this.#first;
  }

  /** Puts one that is not in it behind all others. */
  add(waiting: Waiting): void {
    const last = this.#last;
    waiting.before = last;
    waiting.behind = undefined;
    if (last === undefined) this.#first = waiting;
    else last.behind = waiting;
    this.#last = waiting;
  }

  /** Takes out who has waited longest. */
  take(): Waiting | undefined {
    const first = this.#first;
    if (first !== undefined) this.#unlink(first);
    return first;
  }

  /** Takes one out, if it is in it. */
  remove(waiting: Waiting): void {
    if (waiting.before !== undefined || this.#first === waiting) this.#unlink(waiting);
  }

  #unlink(waiting: Waiting): void {
    const { before, behind } = waiting;
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    waiting.before = waiting.behind = undefined;
  }
}
