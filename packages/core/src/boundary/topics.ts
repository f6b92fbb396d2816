import { invalidOptions } from "../primitives/invalid-options.ts";

/** One word of a topic made of any text: what a topic may not hold, dots included, becomes `_`. */
export function topicWord(text: string): string {
  const word = text.slice(0, 100).replace(/[^A-Za-z0-9_-]/g, "_");
  return word === "" ? "_" : word;
}

/**
 * Where the events of type `type` of the process module `id` are published.
 * @throws KeelsonError `INVALID_OPTIONS` for what are no texts
 */
export function boundaryTopic(id: string, type: string): string {
  if (typeof id !== "string" || typeof type !== "string")
    throw invalidOptions(
      "The topic of an event is made of two texts",
      "give a module's id and the event's type",
    );
  return `boundary.${topicWord(id)}.${topicWord(type)}`;
}
