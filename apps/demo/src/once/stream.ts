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

  constructor(url: string, paths: readonly string[], readers: number) {
    this.#url = url;
    this.#paths = paths;
    this.#readers = Array.from({ length: readers }, () => this.#read());
  }

  get counts(): StreamCounts {
    return { sent: this.#sent, ok: this.#ok, degraded: this.#degraded, failures: this.#failures };
  }

  /** Lets the requests under way end. */
  async stop(): Promise<StreamCounts> {
    this.#stopped = true;
    await Promise.all(this.#readers);
    return this.counts;
  }

  async #read(): Promise<void> {
    while (!this.#stopped) {
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
