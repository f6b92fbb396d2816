import type { Cursor, Envelope } from "../contract/bus.ts";
import { KeelsonError } from "../contract/errors.ts";
import { RingLog } from "../primitives/ring-log.ts";
import { compareEnvelopes } from "./message.ts";
import type { QueueSubscription } from "./subscription.ts";
import { fits, overlap, parsePattern } from "./topics.ts";
import { invalidOptions, shown } from "../primitives/invalid-options.ts";

/** What is kept without being asked for. */
const ALWAYS: readonly string[] = ["kernel.**", "module.**", "supervisor.**", "boundary.**"];

/** What is kept of events whose size is told, characters: a child may print thousands of lines of a megabyte. */
const MAX_CHARS = 2 ** 24;

/**
 * The replayable log of a bus: the last envelopes of the topics it keeps, in the order (timestamp, id, source), which within one
 * bus is the order of publishing.
 */
export class History {
  readonly #log: RingLog<Envelope>;
  readonly #patterns: readonly (readonly string[])[];
  /** The last envelope that had to go. */
  #forgotten: Envelope | undefined;
  /** Sizes of the envelopes for which one was told, by position, and their sum. */
  readonly #sizes: Map<number, number> = new Map();
  #chars = 0;

  /**
   * @param patterns topics to keep besides those of the kernel and of boundary modules
   * @throws KeelsonError `INVALID_OPTIONS`, `INVALID_TOPIC`
   */
  constructor(capacity: number, patterns: readonly string[]) {
    this.#log = new RingLog(capacity);
    if (!Array.isArray(patterns))
      throw invalidOptions(`logged is ${shown(patterns)}`, "give an array of patterns");
    this.#patterns = [...ALWAYS, ...patterns].map(parsePattern);
  }

  /** Position of the next envelope to be kept. */
  get end(): number {
    return this.#log.end;
  }

  /** Whether a topic is kept, or any that fits a pattern. */
  keeps(pattern: readonly string[]): boolean {
    return this.#patterns.some((kept) => overlap(kept, pattern));
  }

  /** @param chars about how large its data is, where that came from outside */
  push(envelope: Envelope, chars = 0): void {
    const log = this.#log;
    // A module has the way to here as a third argument of its publish: what is no count would spoil the sum, and nothing that goes would mend it.
    if (Number.isSafeInteger(chars) && chars > 0) {
      this.#sizes.set(log.end, chars);
      this.#chars += chars;
    }
    if (log.end - log.start === log.capacity) this.#forget();
    log.push(envelope);
    while (this.#chars > MAX_CHARS) this.#forget();
  }

  #forget(): void {
    const { start } = this.#log;
    this.#forgotten = this.#log.shift();
    this.#chars -= this.#sizes.get(start) ?? 0;
    this.#sizes.delete(start);
  }

  /** Position of the first envelope behind `cursor`. @throws KeelsonError `CURSOR_EXPIRED`, `INVALID_OPTIONS` */
  position(cursor: Cursor): number {
    if (!isCursor(cursor)) {
      throw invalidOptions(
        "The cursor to begin from is none",
        "give { timestamp, id, source }, or an envelope",
      );
    }
    if (this.#forgotten !== undefined && compareEnvelopes(cursor, this.#forgotten) < 0) {
      throw new KeelsonError("CURSOR_EXPIRED", `The log of the bus no longer reaches back to ${cursor.id}`, {
        hint: "begin without a cursor, or give the kernel a larger logCapacity",
        details: { id: cursor.id, timestamp: cursor.timestamp },
      });
    }
    return this.#log.search((envelope) => compareEnvelopes(envelope, cursor) > 0);
  }

  /** What is kept behind `from`, or all, oldest first. @throws KeelsonError `CURSOR_EXPIRED`, `INVALID_OPTIONS` */
  after(from: Cursor | undefined): Envelope[] {
    return this.#log.slice(from === undefined ? undefined : this.position(from));
  }

  /** Gives `queue` what is kept for it from `position` on; what is gone from there counts as lagged. */
  replay(pattern: readonly string[], queue: QueueSubscription, position: number): void {
    if (position < this.#log.start) queue.missed(this.#log.start - position);
    for (const envelope of this.#log.slice(position)) {
      if (fits(pattern, envelope.topic.split("."))) queue.offer(envelope);
    }
  }
}

function isCursor(cursor: Cursor | null): boolean {
  if (typeof cursor !== "object" || cursor === null) return false;
  const { timestamp, id, source } = cursor;
  return Number.isFinite(timestamp) && typeof id === "string" && typeof source === "string";
}
