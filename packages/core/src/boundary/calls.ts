import { asKeelsonError, fromWireError, KeelsonError } from "../contract/errors.ts";
import type { Call } from "../contract/call.ts";
import type { Clock } from "../contract/platform.ts";
import type { Value } from "../contract/value.ts";
import { decodeValue, encodeValue } from "./wire-value.ts";
import type { LineWriter } from "./writer.ts";

/** Within this time an abort is noticed, ms. */
const LISTEN_AFTER_MS = 20;

interface Pending {
  readonly id: string;
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
  readonly #pending = new Map<string, Pending>();
  #timer: Disposable | undefined;
  #count = 0;
  #closed: KeelsonError | undefined;

  constructor(name: string, clock: Clock, writer: LineWriter, maxPending: number) {
    this.#name = name;
    this.#clock = clock;
    this.#writer = writer;
    this.#maxPending = maxPending;
  }

  get size(): number {
    return this.#pending.size;
  }

  /**
   * Sends a request; the promise is settled by its reply.
   *
   * @throws KeelsonError at once `INVALID_PAYLOAD`, `QUEUE_FULL`, `DEADLINE_EXCEEDED`, `IO`, or why no more calls are taken
   */
  request(call: Call, method: string): Promise<Value> {
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#pending.size >= this.#maxPending) throw this.#full("does not answer fast enough");
    const id = String(++this.#count);
    const line = this.#line(call, method, id);
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
      const pending: Pending = { id, call, resolve, reject, abort: undefined };
      this.#pending.set(id, pending);
      this.#timer ??= this.#clock.after(LISTEN_AFTER_MS, () => this.#listen(), true);
    });
  }

  /** Settles the call that the reply answers. False: no such call waits, for instance because it was cancelled. */
  reply(reply: Readonly<Record<string, unknown>>, marked: boolean): boolean {
    const pending = this.#pending.get(reply["reply_id"] as string);
    if (pending === undefined) return false;
    this.#forget(pending);
    if (reply["error"] !== undefined && reply["error"] !== null) {
      pending.reject(fromWireError(reply["error"]));
      return true;
    }
    try {
      pending.resolve(marked ? decodeValue(reply["result"]) : (reply["result"] as Value));
    } catch (error) {
      pending.reject(error);
    }
    return true;
  }

  /** Rejects all that wait, and every later request, with `error`. */
  close(error: KeelsonError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    for (const pending of [...this.#pending.values()]) {
      this.#forget(pending);
      pending.reject(error);
    }
  }

  #line(call: Call, method: string, id: string): string {
    const payload = encodeValue(call.payload);
    let line = `{"request_id":"${id}","method":${JSON.stringify(method)}`;
    if (payload !== undefined) line += `,"payload":${payload}`;
    if (call.deadline !== Infinity) {
      const left = Math.ceil(call.deadline - this.#clock.now());
      if (left <= 0) throw this.#late(call);
      line += `,"timeout_ms":${left}`;
    }
    return `${line}}\n`;
  }

  /**
   * Listens to the signals of the calls that were not answered at once. A signal is made when it is first read, which costs as much as
   * much of the round trip; calls that are over by then never need one.
   */
  #listen(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const pending of [...this.#pending.values()]) {
      if (pending.abort !== undefined || this.#pending.get(pending.id) !== pending) continue;
      const { call } = pending;
      if (now >= call.deadline) this.#cancel(pending, this.#late(call));
      else if (call.signal.aborted) this.#cancel(pending, this.#aborted(call));
      else {
        pending.abort = () =>
          this.#cancel(pending, this.#clock.now() >= call.deadline ? this.#late(call) : this.#aborted(call));
        call.signal.addEventListener("abort", pending.abort, { once: true });
      }
    }
  }

  #cancel(pending: Pending, error: KeelsonError): void {
    if (this.#pending.get(pending.id) !== pending) return;
    this.#forget(pending);
    // With a full queue the child is not reading, and will learn from its own timeout_ms.
    this.#writer.write(`{"cancel_id":"${pending.id}"}\n`);
    pending.reject(error);
  }

  #forget(pending: Pending): void {
    this.#pending.delete(pending.id);
    if (pending.abort !== undefined) pending.call.signal.removeEventListener("abort", pending.abort);
  }

  #late(call: Call): KeelsonError {
    return new KeelsonError(
      "DEADLINE_EXCEEDED",
      `${this.#name} did not answer "${call.method}" within its time`,
    );
  }

  #aborted(call: Call): KeelsonError {
    return asKeelsonError(
      call.signal.reason,
      "ABORTED",
      `The call of "${call.method}" on ${this.#name} was ended`,
    );
  }

  #full(why: string): KeelsonError {
    return new KeelsonError("QUEUE_FULL", `${this.#name} ${why}: ${this.#pending.size} requests wait`, {
      hint: "call it less, or raise maxPending or maxQueuedBytes",
      details: { pending: this.#pending.size },
    });
  }
}
