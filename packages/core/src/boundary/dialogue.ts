import { asKeelsonError, type KeelsonError } from "../contract/errors.ts";
import type { SizedBus } from "../contract/bus.ts";
import type { ModuleContext } from "../contract/module.ts";
import type { EventEnvelope } from "../contract/message.ts";
import type { Counter } from "../contract/metrics.ts";
import type { Value } from "../contract/value.ts";
import { isObject, normalizeEvent, parseLine } from "./normalize.ts";
import type { PendingCalls } from "./calls.ts";
import type { ChildRequests } from "./requests.ts";
import { boundaryTopic } from "./topics.ts";
import { decodeValue, mayHoldMarks } from "./wire-value.ts";

const ERRORS_PER_SECOND = 100;
/** What every line that is understood begins with, but for white space before it. */
const OPENING_BRACE = 0x7b;
const SPACE = 0x20;

/** How a reply begins whose first key is its id. */
const REPLY = /^\s*\{\s*"reply_id"\s*:\s*"(\d+)"/;

/** Sorts a child's lines: replies to the host's calls, requests and cancellations, and events, which go to the module's bus. */
export class Dialogue {
  readonly #context: ModuleContext;
  readonly #bus: SizedBus;
  readonly #calls: PendingCalls;
  readonly #requests: ChildRequests;
  readonly #events: Counter;
  readonly #badLines: Counter;
  #windowFrom = -Infinity;
  #told = 0;

  constructor(context: ModuleContext, calls: PendingCalls, requests: ChildRequests) {
    this.#context = context;
    // Now, and not with the first event: the child is about to come up meanwhile.
    this.#bus = context.bus;
    this.#calls = calls;
    this.#requests = requests;
    this.#events = context.metrics.counter("keelson_boundary_events_total", {
      help: "Events that child processes sent.",
    });
    this.#badLines = context.metrics.counter("keelson_boundary_bad_lines_total", {
      help: "Lines of child processes that could not be understood.",
    });
  }

  /** Takes one line; never throws. */
  take(line: string): void {
    // A flood of garbage must not cost an error a line, of which most are only counted.
    const first = line.charCodeAt(0);
    if (first !== OPENING_BRACE && first > SPACE && this.#muted) return this.#badLines.add();
    try {
      const value = parseLine(line);
      if (isObject(value) && value["event_id"] === undefined) {
        if (typeof value["reply_id"] === "string") {
          // The reply to a call that was given up comes late, and is nobody's fault.
          return this.#calls.reply(value, mayHoldMarks(line));
        }
        if (value["request_id"] !== undefined) return this.#requests.take(value, mayHoldMarks(line));
        if (value["cancel_id"] !== undefined) return this.#requests.cancel(value["cancel_id"]);
      }
      this.event(normalizeEvent(value), mayHoldMarks(line), line.length);
    } catch (error) {
      this.fault(asKeelsonError(error, "INTERNAL", "A line could not be taken"));
    }
  }

  /** Publishes an event under `boundary.<id>.<type>`; its data is the whole strict form. `chars` is the length of its line. */
  event(envelope: EventEnvelope, marked = true, chars?: number): void {
    this.#events.add();
    const { event } = envelope;
    const data =
      marked && event.kind === "module"
        ? { ...envelope, event: { ...event, payload: decodeValue(event.payload) } }
        : envelope;
    this.#publish(event.event_type, data as unknown as Value, chars);
  }

  /**
   * Counts and publishes, under `boundary.<id>.error` as `{ error }`, what is wrong with a line; the first 100 of each second. A call whose reply the
   * line began to be fails with it.
   */
  fault(error: KeelsonError): void {
    this.#badLines.add();
    const { start, line = start } = error.details ?? {};
    const spoiled = REPLY.exec(String(line));
    if (spoiled !== null) this.#calls.fail(spoiled[1] as string, error);
    if (this.#muted) return;
    this.#told++;
    this.#publish("error", { error: error.toJSON() as unknown as Value });
  }

  /** Whether enough has been said of this second's bad lines. */
  get #muted(): boolean {
    const now = this.#context.clock.now();
    if (now - this.#windowFrom >= 1000) {
      this.#windowFrom = now;
      this.#told = 0;
    }
    return this.#told >= ERRORS_PER_SECOND;
  }

  #publish(type: string, data: Value, chars?: number): void {
    try {
      this.#bus.publish(boundaryTopic(this.#context.id, type), data, chars);
    } catch (error) {
      // Lines still in the pipe when the generation ends find its door closed.
      this.#context.log.write("debug", `An event of type ${type} could not be published`, { error });
    }
  }
}
