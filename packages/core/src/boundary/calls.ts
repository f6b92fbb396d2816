import { asKeelsonError, fromWireError, KeelsonError } from "../contract/errors.ts";
import type { Call } from "../contract/call.ts";
import type { Clock } from "../contract/platform.ts";
import type { Value } from "../contract/value.ts";
import { decodeValue, encodeValue } from "./wire-value.ts";
import type { LineWriter } from "./writer.ts";

/** Within this time an abort is noticed, ms. */
const LISTEN_AFTER_MS = 20;

const LEAST_SLOTS = 16;

interface Pending {
  /** As it travels: {@link Pending.count} in decimals. */
  readonly id: string;
  readonly count: number;
  readonly call: Call;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
  /** Set once the call's signal is listened to. */
  abort: (() => void) | undefined;
}

/** The host's requests to one child that wait for their replies. */
export class PendingCalls {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #writer: LineWriter;
  readonly #maxPending: number;
  /**
   * Each call in the slot that the lower bits of its number say; a power of two, at most half of them taken. Not a Map: filled and emptied
   * by call after call, one is laid out anew every few calls, and on V8 what it held then lives on until the next full collection.
   */
  #slots: (Pending | undefined)[] = [];
  #size = 0;
  #timer: Disposable | undefined;
  #count = 0;
  #method: string | undefined;
  /** What a line says of `#method`, with the quotation mark that ends the id. */
  #named = "";
  #closed: KeelsonError | undefined;

  constructor(name: string, clock: Clock, writer: LineWriter, maxPending: number) {
    this.#name = name;
    this.#clock = clock;
    this.#writer = writer;
    this.#maxPending = maxPending;
  }

  /**
   * Sends a request; the promise is settled by its reply.
   *
   * @throws KeelsonError at once `INVALID_PAYLOAD`, `QUEUE_FULL`, `DEADLINE_EXCEEDED`, `IO`, or why no more calls are taken
   */
  request(call: Call, method: string): Promise<Value> {
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#size >= this.#maxPending) throw this.#full("does not answer fast enough");
    // Getters of the payload may make calls of their own: they run before a slot is chosen.
    const payload = encodeValue(call.payload);
    const count = this.#nextCount();
    const id = String(count);
    const line = this.#line(call, method, payload, id);
    if (line.length > this.#writer.maxQueued) {
      throw new KeelsonError(
        "INVALID_PAYLOAD",
        `The call of "${method}" on ${this.#name} is too large to be sent`,
        {
          hint: "send less at once, or raise maxQueuedBytes",
          details: { length: line.length, maxQueuedBytes: this.#writer.maxQueued },
        },
      );
    }
    if (!this.#writer.write(line)) {
      if (!this.#writer.closed) throw this.#full("does not read its standard input fast enough");
      // It has died, or closed the pipe: which of the two is known in a moment.
      throw new KeelsonError("IO", `${this.#name} no longer reads its standard input`);
    }
    return new Promise((resolve, reject) => {
      this.#slots[this.#slotOf(count)] = { id, count, call, resolve, reject, abort: undefined };
      this.#size++;
      this.#timer ??= this.#clock.after(LISTEN_AFTER_MS, () => this.#listen(), true);
    });
  }

  /** Settles the call that the reply answers; one that was given up gets none. */
  reply(reply: Readonly<Record<string, unknown>>, marked: boolean): void {
    const id = reply["reply_id"] as string;
    const pending = this.#slots[this.#slotOf(Number(id))];
    if (pending?.id !== id) return;
    this.#forget(pending);
    try {
      if (reply["error"] != null) throw childError(reply["error"]);
      pending.resolve(marked ? decodeValue(reply["result"]) : (reply["result"] as Value));
    } catch (error) {
      pending.reject(error);
    }
  }

  /** Rejects the call of this id, if it still waits: its reply cannot be read. */
  fail(id: string, error: KeelsonError): void {
    const pending = this.#slots[this.#slotOf(Number(id))];
    if (pending?.id !== id) return;
    this.#forget(pending);
    pending.reject(error);
  }

  /** Rejects all that wait, and every later request, with `error`. */
  close(error: KeelsonError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    for (const pending of this.#slots) {
      if (pending === undefined) continue;
      this.#forget(pending);
      pending.reject(error);
    }
  }

  #slotOf(count: number): number {
    return count & (this.#slots.length - 1);
  }

  /** The number of the next request: one whose slot is free. */
  #nextCount(): number {
    const slots = this.#slots;
    if (2 * this.#size >= slots.length) {
      this.#slots = new Array<undefined>(2 * slots.length || LEAST_SLOTS).fill(undefined);
      for (const pending of slots)
        if (pending !== undefined) this.#slots[this.#slotOf(pending.count)] = pending;
    }
    do this.#count++;
    while (this.#slots[this.#slotOf(this.#count)] !== undefined);
    return this.#count;
  }

  #line(call: Call, method: string, payload: string | undefined, id: string): string {
    // Most calls name the method that the one before them named.
    if (method !== this.#method) {
      this.#method = method;
      this.#named = `","method":${JSON.stringify(method)}`;
    }
    const given = payload === undefined ? "" : `,"payload":${payload}`;
    if (call.deadline === Infinity) return `{"request_id":"${id}${this.#named}${given}}\n`;
    const left = Math.ceil(call.deadline - this.#clock.now());
    if (left <= 0) {
      throw new KeelsonError(
        "DEADLINE_EXCEEDED",
        `${this.#name} was asked for "${call.method}" when its time was over`,
      );
    }
    return `{"request_id":"${id}${this.#named}${given},"timeout_ms":${left}}\n`;
  }

  /**
   * Listens to the signals of the calls that were not answered at once. A signal is made when it is first read, which costs as much as
   * much of the round trip; calls that are over by then never need one.
   */
  #listen(): void {
    this.#timer = undefined;
    for (const pending of this.#slots) {
      if (pending === undefined || pending.abort !== undefined) continue;
      const { call } = pending;
      if (call.signal.aborted) this.#cancel(pending, this.#aborted(call));
      else {
        pending.abort = () => this.#cancel(pending, this.#aborted(call));
        call.signal.addEventListener("abort", pending.abort, { once: true });
      }
    }
  }

  #cancel(pending: Pending, error: KeelsonError): void {
    this.#forget(pending);
    // With a full queue the child is not reading, and will learn from its own timeout_ms.
    this.#writer.write(`{"cancel_id":"${pending.id}"}\n`);
    pending.reject(error);
  }

  #forget(pending: Pending): void {
    this.#slots[this.#slotOf(pending.count)] = undefined;
    this.#size--;
    if (pending.abort !== undefined) pending.call.signal.removeEventListener("abort", pending.abort);
  }

  #aborted(call: Call): KeelsonError {
    return asKeelsonError(
      call.signal.reason,
      "ABORTED",
      `The call of "${call.method}" on ${this.#name} was ended`,
    );
  }

  #full(why: string): KeelsonError {
    return new KeelsonError("QUEUE_FULL", `${this.#name} ${why}: ${this.#size} requests wait`, {
      hint: "call it less, or raise maxPending or maxQueuedBytes",
      details: { pending: this.#size },
    });
  }
}

/** A child's error, without what the host alone can tell: what a guest used, its record, and whose guest was stopped. */
function childError(wire: unknown): KeelsonError {
  const error = fromWireError(wire);
  const details = error.details as Record<string, unknown> | undefined;
  for (const key of ["usage", "record", "module"]) delete details?.[key];
  return error;
}
