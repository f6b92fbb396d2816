import { KeelsonError } from "../contract/errors.ts";
import type { EventEnvelope } from "../contract/message.ts";
import type { Value } from "../contract/value.ts";
import { isObject as isAnyObject } from "../primitives/invalid-options.ts";

type Fields = Readonly<Record<string, unknown>>;

const U64_LIMIT = 2 ** 64;

/**
 * Reads one line as an event, in the strict form or the flat one; what comes out is always strict. The rules are MobKit's: the strict
 * form is tried first, and if a line is not that, the flat form says what is wrong. Unknown keys are left out.
 *
 * @throws KeelsonError `INVALID_JSON`, `INVALID_SCHEMA` (no object), `MISSING_FIELD` or `INVALID_FIELD_TYPE` with
 * `details.field`, `SOURCE_MISMATCH` with `details.expected` and `details.got`
 */
export function normalizeEventLine(line: string): EventEnvelope {
  return normalizeEvent(parseLine(typeof line === "string" ? line : ""));
}

/** The JSON of one line, or `INVALID_JSON`. */
export function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new KeelsonError("INVALID_JSON", `A line is not JSON: ${excerpt(line)}`, {
      hint: "standard output is for JSON lines alone; print all else to standard error",
      details: { line: excerpt(line) },
      cause: error,
    });
  }
}

/** {@link normalizeEventLine} for a line that was parsed before. */
export function normalizeEvent(value: unknown): EventEnvelope {
  if (!isObject(value)) {
    throw new KeelsonError(
      "INVALID_SCHEMA",
      `A line is JSON but no event: ${describe(value)} instead of an object`,
      { hint: "write each event as one object in one line" },
    );
  }
  return matchSource(strictForm(value) ?? flatForm(value));
}

function strictForm(value: Fields): EventEnvelope | undefined {
  const { event_id, source, timestamp_ms, event } = value;
  if (typeof event_id !== "string" || typeof source !== "string" || !isTimestamp(timestamp_ms))
    return undefined;
  if (!isObject(event) || typeof event["event_type"] !== "string") return undefined;
  const head = { event_id, source: source as EventEnvelope["source"], timestamp_ms };
  const { kind, event_type } = event;
  if (kind === "module") {
    const { module } = event;
    if (typeof module !== "string" || !Object.hasOwn(event, "payload")) return undefined;
    return { ...head, event: { kind, module, event_type, payload: event["payload"] as Value } };
  }
  const { agent_id } = event;
  if (kind !== "agent" || typeof agent_id !== "string") return undefined;
  return { ...head, event: { kind, agent_id, event_type } };
}

function flatForm(value: Fields): EventEnvelope {
  const head = {
    event_id: text(value, "event_id"),
    source: text(value, "source") as EventEnvelope["source"],
    timestamp_ms: field(value, "timestamp_ms") as number,
  };
  if (!isTimestamp(head.timestamp_ms)) throw wrongType(value, "timestamp_ms", "a non-negative integer");
  if (Object.hasOwn(value, "module")) {
    const module = text(value, "module");
    const event_type = text(value, "event_type");
    return {
      ...head,
      event: { kind: "module", module, event_type, payload: field(value, "payload") as Value },
    };
  }
  return {
    ...head,
    event: { kind: "agent", agent_id: text(value, "agent_id"), event_type: text(value, "event_type") },
  };
}

function matchSource(envelope: EventEnvelope): EventEnvelope {
  const { source, event } = envelope;
  if (source === event.kind) return envelope;
  throw new KeelsonError(
    "SOURCE_MISMATCH",
    `An event of kind ${event.kind} says that its source is "${excerpt(source)}"`,
    {
      hint: 'source is the kind of the event, "module" or "agent", not an id',
      details: { expected: event.kind, got: excerpt(source) },
    },
  );
}

function field(value: Fields, name: string): unknown {
  if (Object.hasOwn(value, name)) return value[name];
  throw new KeelsonError("MISSING_FIELD", `An event lacks the field ${name}`, {
    hint: "an event has event_id, source, timestamp_ms, and module, event_type and payload, or agent_id and event_type",
    details: { field: name },
  });
}

function text(value: Fields, name: string): string {
  const found = field(value, name);
  if (typeof found === "string") return found;
  throw wrongType(value, name, "a string");
}

function wrongType(value: Fields, name: string, wanted: string): KeelsonError {
  return new KeelsonError(
    "INVALID_FIELD_TYPE",
    `The field ${name} of an event is ${describe(value[name])} instead of ${wanted}`,
    {
      hint: `write ${name} as ${wanted}`,
      details: { field: name },
    },
  );
}

function isTimestamp(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < U64_LIMIT;
}

/** Whether `value` is an object and no array. */
export function isObject(value: unknown): value is Fields {
  return isAnyObject(value) && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "number" ? `the number ${value}` : `a ${typeof value}`;
}

/** The beginning of a text, fit to be printed: at most 200 characters, without those that steer a terminal or are not seen, but for the joiners that scripts and emoji need. */
export function excerpt(value: string): string {
  const printable = value.slice(0, 200).replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\s]/gu, " ");
  return value.length > 200 ? `${printable}…` : printable;
}
