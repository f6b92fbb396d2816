import type { Cursor, Envelope } from "../contract/bus.ts";
import type { Value } from "../contract/value.ts";
import { invalidOptions, isObject } from "../primitives/invalid-options.ts";

/**
 * The one object that a publish makes. Its id is put together only when read: the bus's own random id and the sequence number, padded so
 * that ids of one bus sort in the order in which they were given.
 */
export class Message implements Envelope {
  readonly seq: number;
  readonly topic: string;
  readonly source: string;
  readonly correlationId: string | undefined;
  readonly timestamp: number;
  readonly data: Value;
  readonly #busId: string;

  constructor(
    busId: string,
    seq: number,
    topic: string,
    source: string,
    correlationId: string | undefined,
    timestamp: number,
    data: Value,
  ) {
    this.#busId = busId;
    this.seq = seq;
    this.topic = topic;
    this.source = source;
    this.correlationId = correlationId;
    this.timestamp = timestamp;
    this.data = data;
  }

  get id(): string {
    return `${this.#busId}-${serial(this.seq)}`;
  }

  /** All fields, the id among them: it is no own property. */
  toJSON(): Envelope {
    const { id, seq, topic, source, correlationId, timestamp, data } = this;
    return { id, seq, topic, source, correlationId, timestamp, data };
  }
}

/** A number as text that sorts as the number does: base 36, eleven digits, enough for every safe integer. */
export function serial(count: number): string {
  return count.toString(36).padStart(11, "0");
}

/**
 * The order of logs, merged ones included: by timestamp, then id, then source. Negative when `one` comes first. Takes envelopes and
 * cursors alike. @throws KeelsonError `INVALID_OPTIONS` for what is neither
 */
export function compareEnvelopes(one: Cursor, other: Cursor): number {
  if (!isObject(one) || !isObject(other))
    throw invalidOptions("What is compared is no envelope", "give two envelopes or cursors");
  if (one.timestamp !== other.timestamp) return one.timestamp - other.timestamp;
  if (one.id !== other.id) return one.id < other.id ? -1 : 1;
  if (one.source !== other.source) return one.source < other.source ? -1 : 1;
  return 0;
}
