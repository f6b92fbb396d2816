/** Counts the requests that were answered, for those who want to know what goes on beside them. */
export class Traffic {
  #answered = 0;

  /** Requests answered so far. */
  get answered(): number {
    return this.#answered;
  }

  /** Notes a request that has been answered. */
  note(): void {
    this.#answered++;
  }
}
