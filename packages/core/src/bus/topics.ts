import { KeelsonError } from "../contract/errors.ts";

/** Longest topic or pattern, characters. */
const MAX_LENGTH = 256;
const WORD = /^[A-Za-z0-9_-]+$/;

/** First words of the topics that only the kernel publishes and answers on. */
const RESERVED: ReadonlySet<string> = new Set(["kernel", "module", "supervisor"]);

/** Whether `topic` is one that belongs to the kernel, so that what is said there can be trusted. */
export function isReservedTopic(topic: string): boolean {
  const dot = topic.indexOf(".");
  return RESERVED.has(dot === -1 ? topic : topic.slice(0, dot));
}

/** The words of a topic to publish on. @throws KeelsonError `INVALID_TOPIC` */
export function parseTopic(topic: unknown): readonly string[] {
  const words = split(topic, "topic");
  for (const word of words) {
    if (word === "*" || word === "**") throw invalid(topic, "topic", "has a wildcard; only patterns may");
    if (!WORD.test(word)) throw invalid(topic, "topic", `has the word "${word}"`);
  }
  return words;
}

/** The words of a pattern to listen with, wildcards among them. @throws KeelsonError `INVALID_TOPIC` */
export function parsePattern(pattern: unknown): readonly string[] {
  const words = split(pattern, "pattern");
  for (const [index, word] of words.entries()) {
    if (word === "**") {
      if (index < words.length - 1) throw invalid(pattern, "pattern", `has "**" before its end`);
    } else if (word !== "*" && !WORD.test(word)) {
      throw invalid(pattern, "pattern", `has the word "${word}"`);
    }
  }
  return words;
}

/** Whether a pattern is more than one topic. */
export function hasWildcard(pattern: readonly string[]): boolean {
  return pattern.includes("*") || pattern.at(-1) === "**";
}

/** Whether `topic` fits `pattern`. */
export function fits(pattern: readonly string[], topic: readonly string[]): boolean {
  return overlap(pattern, topic);
}

/** Whether there is a topic that fits both patterns. */
export function overlap(one: readonly string[], other: readonly string[]): boolean {
  for (let index = 0; ; index++) {
    const a = one[index];
    const b = other[index];
    if (a === undefined || b === undefined) return a === b;
    if (a === "**" || b === "**") return true;
    if (a !== b && a !== "*" && b !== "*") return false;
  }
}

interface Branch<T> {
  readonly words: Map<string, Branch<T>>;
  /** Values whose pattern ends here. */
  readonly here: Set<T>;
  /** Values whose pattern ends here with `**`. */
  readonly rest: Set<T>;
}

/** Finds the values whose patterns a topic fits, by walking the words of the topic instead of trying every pattern. */
export class TopicTree<T> {
  readonly #root: Branch<T> = branch();
  #size = 0;

  /** Values held. */
  get size(): number {
    return this.#size;
  }

  /** Whether not even an empty branch is left. */
  get bare(): boolean {
    const { words, here, rest } = this.#root;
    return words.size + here.size + rest.size === 0;
  }

  /** Files `value` under a pattern. */
  add(pattern: readonly string[], value: T): void {
    let at = this.#root;
    for (const word of pattern) {
      if (word === "**") {
        at.rest.add(value);
        this.#size++;
        return;
      }
      let next = at.words.get(word);
      if (next === undefined) at.words.set(word, (next = branch()));
      at = next;
    }
    at.here.add(value);
    this.#size++;
  }

  /** Takes `value` out again, and the branches that it leaves bare; false if it was not there. */
  remove(pattern: readonly string[], value: T): boolean {
    const path: Branch<T>[] = [this.#root];
    for (const word of pattern) {
      if (word === "**") break;
      const next = (path.at(-1) as Branch<T>).words.get(word);
      if (next === undefined) return false;
      path.push(next);
    }
    const last = path.at(-1) as Branch<T>;
    if (!(pattern.at(-1) === "**" ? last.rest : last.here).delete(value)) return false;
    this.#size--;
    for (let depth = path.length - 1; depth > 0; depth--) {
      const { words, here, rest } = path[depth] as Branch<T>;
      if (words.size + here.size + rest.size > 0) break;
      (path[depth - 1] as Branch<T>).words.delete(pattern[depth - 1] as string);
    }
    return true;
  }

  /** The values whose patterns `topic` fits, in no special order. */
  match(topic: readonly string[]): T[] {
    const found: T[] = [];
    collect(this.#root, topic, 0, found);
    return found;
  }
}

function branch<T>(): Branch<T> {
  return { words: new Map(), here: new Set(), rest: new Set() };
}

function collect<T>(at: Branch<T>, topic: readonly string[], index: number, found: T[]): void {
  const word = topic[index];
  if (word === undefined) {
    for (const value of at.here) found.push(value);
    return;
  }
  for (const value of at.rest) found.push(value);
  const exact = at.words.get(word);
  if (exact !== undefined) collect(exact, topic, index + 1, found);
  const any = at.words.get("*");
  if (any !== undefined) collect(any, topic, index + 1, found);
}

function split(topic: unknown, what: "topic" | "pattern"): string[] {
  if (typeof topic !== "string") throw invalid(topic, what, "is no string");
  if (topic.length > MAX_LENGTH) throw invalid(topic, what, `is longer than ${MAX_LENGTH} characters`);
  return topic.split(".");
}

function invalid(topic: unknown, what: "topic" | "pattern", why: string): KeelsonError {
  const shown = typeof topic === "string" ? `"${topic.slice(0, 80)}"` : typeof topic;
  return new KeelsonError("INVALID_TOPIC", `The ${what} ${shown} ${why}`, {
    hint:
      what === "topic"
        ? "join words of letters, digits, - and _ by dots, such as orders.created"
        : "join words by dots; * stands for one word, and ** at the end for one or more",
    details: { topic: typeof topic === "string" ? topic.slice(0, MAX_LENGTH) : typeof topic },
  });
}
