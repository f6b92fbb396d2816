import type { Bytes } from "@keelson/core";

/** A child's standard output or error as a runtime has it: pulled, so that a flood waits in the pipe. */
export interface OutputSource {
  /** The next chunk, or the end. A failure to read is the end. */
  next(): Promise<IteratorResult<Bytes, undefined>>;
  /** Closes it; what is read and not yet taken is lost. Must not throw and may be called twice. */
  cancel(): void;
}

/** The one-time iteration of an {@link OutputSource}. */
export class Output implements AsyncIterable<Bytes> {
  readonly #source: OutputSource;
  #taken = false;

  constructor(source: OutputSource) {
    this.#source = source;
  }

  /** Frees the descriptor when nobody ever asked for the output, or when nobody will ever end it. */
  release(forced: boolean): void {
    if (forced || !this.#taken) this.#source.cancel();
  }

  [Symbol.asyncIterator](): AsyncIterator<Bytes, undefined> {
    if (this.#taken) throw new TypeError("the output of a process can be iterated once");
    this.#taken = true;
    const source = this.#source;
    return {
      next: () => source.next(),
      return: () => {
        source.cancel();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}
