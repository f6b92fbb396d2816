import type { Envelope } from "../contract/bus.ts";
import { fromWireError, type KeelsonError } from "../contract/errors.ts";
import type { EventEnvelope } from "../contract/message.ts";
import { isObject, normalizeEvent } from "./normalize.ts";
import { boundaryTopic } from "./topics.ts";

/**
 * The event of a process module that an envelope of the bus carries, heard on `boundary.**` or the like. Undefined for whatever else is published there: any module
 * may publish what it likes, but none as another.
 */
export function boundaryEventOf(envelope: Envelope): EventEnvelope | undefined {
  try {
    const { topic, source, data } = envelope;
    const said = normalizeEvent(data);
    return topic === boundaryTopic(source, said.event.event_type) ? said : undefined;
  } catch {
    return undefined;
  }
}

/** What was wrong with a line of a process module, where that is what an envelope tells: on `boundary.<id>.error`. Undefined for all others. */
export function boundaryFaultOf(envelope: Envelope): KeelsonError | undefined {
  const { topic, source, data } = envelope ?? {};
  if (!isObject(data) || !isObject(data["error"]) || topic !== boundaryTopic(source, "error"))
    return undefined;
  return fromWireError(data["error"]);
}
