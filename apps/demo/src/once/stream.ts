import { setTimeout as wait } from "node:timers/promises";
import { get } from "./client.ts";

/** Counts of a {@link RequestStream}. */
export interface StreamCounts {
  readonly sent: number;
  readonly ok: number;
  /** Answered with 200, but without a plugin's work, and saying so. */
  readonly degraded: number;
  /** What went wrong, one line each. */
  readonly failures: readonly string[];
}

/** Readers that ask for one page after the other until they are stopped. */
export class RequestStream {
  readonly #url: string;
  readonly #paths: readonly string[];
  readonly #readers: readonly Promise<void>[];
  #next = 0;
  #sent = 0;
  #ok = 0;
  #degraded = 0;
  readonly #failures: string[] = [];
  #stopped = false;
  /** Set while the readers rest. */
  #rest: PromiseWithResolvers<void> | undefined;
  #resting = 0;
  #onRest: (() => void) | undefined;

  constructor(url: string, paths: readonly string[], readers: number) {
    this.#url = url;
    this.#paths = paths;
    this.#readers = Array.from({ length: readers }, () => this.#read());
  }

  get counts(): StreamCounts {
    return { sent: this.#sent, ok: this.#ok, degraded: this.#degraded, failures: this.#failures };
  }

  /** Does `work` while the readers rest: none of their requests is under way then. */
  async without<T>(work: () => Promise<T>): Promise<T> {
    this.#rest = Promise.withResolvers<void>();
    try {
      if (this.#resting < this.#readers.length)
        await new Promise<void>((resolve) => (this.#onRest = resolve));
      return await work();
    } finally {
      this.#wake();
    }
  }

  /** Lets the requests under way end. */
  async stop(): Promise<StreamCounts> {
    this.#stopped = true;
    this.#wake();
    await Promise.all(this.#readers);
    return this.counts;
  }

  #wake(): void {
    this.#rest?.resolve();
    this.#rest = undefined;
    this.#onRest = undefined;
  }

  async #read(): Promise<void> {
    while (!this.#stopped) {
      if (this.#rest !== undefined) {
        this.#resting++;
        if (this.#resting === this.#readers.length) this.#onRest?.();
        await this.#rest.promise;
        this.#resting--;
        continue;
      }
      const path = this.#paths[this.#next++ % this.#paths.length] ?? "/";
      this.#sent++;
      try {
        const { status, headers } = await get(this.#url, path);
        if (status !== 200) this.#failures.push(`${path} was answered with ${status}`);
        else this.#ok++;
        if (headers.has("press-skipped")) this.#degraded++;
      } catch (error) {
        this.#failures.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
      }
      // A steady stream, not a flood: the machine has other work.
      await wait(5);
    }
  }
}
