/** One word of a topic made of any text: what a topic may not hold, dots included, becomes `_`. */
export function topicWord(text: string): string {
  const word = text.slice(0, 100).replace(/[^A-Za-z0-9_-]/g, "_");
  return word === "" ? "_" : word;
}

/** Where the events of type `type` of the process module `id` are published. */
export function boundaryTopic(id: string, type: string): string {
  return `boundary.${topicWord(id)}.${topicWord(type)}`;
}
