/** A mistake in a JSON text, with its place; lines and columns count from 1. */
export interface JsonFault {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

/** A JSON text that was read: its value, and where each key and element of it begins. */
export interface JsonText {
  readonly value: unknown;
  /** The line on which `key` of `container` stands. */
  lineOf(container: object, key: string | number): number | undefined;
}

/** Nesting that no manifest needs. */
export const MAX_DEPTH = 32;

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/**
 * Reads JSON as `JSON.parse` does, but tells where a mistake is on every runtime in the same words, refuses a key that comes twice
 * (where `JSON.parse` forgets the first), and nesting deeper than {@link MAX_DEPTH}.
 */
export function readJson(text: string): JsonText | JsonFault {
  const reader = new Reader(text);
  try {
    const value = reader.read();
    return { value, lineOf: (container, key) => reader.lineOf(container, key) };
  } catch (error) {
    if (error instanceof Mistake) return { message: error.message, ...reader.place(error.at) };
    throw error;
  }
}

class Mistake extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

class Reader {
  readonly #text: string;
  readonly #places = new WeakMap<object, Map<string, number>>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): unknown {
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) throw this.#unexpected("the end");
    return value;
  }

  lineOf(container: object, key: string | number): number | undefined {
    const at = this.#places.get(container)?.get(String(key));
    return at === undefined ? undefined : this.place(at).line;
  }

  place(at: number): { readonly line: number; readonly column: number } {
    const before = this.#text.slice(0, at);
    return { line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
  }

  #value(depth: number): unknown {
    this.#space();
    if (depth > MAX_DEPTH) throw new Mistake(`nested deeper than ${MAX_DEPTH} levels`, this.#at);
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
    }
    const number = this.#match(NUMBER);
    if (number === undefined) throw this.#unexpected("a value");
    return Number(number);
  }

  #object(depth: number): unknown {
    const result: Record<string, unknown> = {};
    const places = new Map<string, number>();
    this.#places.set(result, places);
    this.#at++;
    if (this.#next("}")) return result;
    for (;;) {
      this.#space();
      const at = this.#at;
      if (this.#text[at] !== '"') throw this.#unexpected("a key in double quotes");
      const key = this.#string();
      if (places.has(key)) throw new Mistake(`the key ${JSON.stringify(key)} comes twice`, at);
      // Setting it would change what the object is, and reading it would not give it back.
      if (key === "__proto__") throw new Mistake(`the key "__proto__" is not allowed`, at);
      places.set(key, at);
      if (!this.#next(":")) throw this.#unexpected('":"');
      result[key] = this.#value(depth + 1);
      if (this.#next("}")) return result;
      if (!this.#next(",")) throw this.#unexpected('"," or "}"');
    }
  }

  #array(depth: number): unknown {
    const result: unknown[] = [];
    const places = new Map<string, number>();
    this.#places.set(result, places);
    this.#at++;
    if (this.#next("]")) return result;
    for (;;) {
      this.#space();
      places.set(String(result.length), this.#at);
      result.push(this.#value(depth + 1));
      if (this.#next("]")) return result;
      if (!this.#next(",")) throw this.#unexpected('"," or "]"');
    }
  }

  #string(): string {
    const from = this.#at;
    let end = from + 1;
    for (;;) {
      const char = this.#text[end];
      if (char === undefined || char === "\n") throw new Mistake("a text has no end", from);
      if (char === '"') break;
      end += char === "\\" ? 2 : 1;
    }
    this.#at = end + 1;
    try {
      return JSON.parse(this.#text.slice(from, end + 1)) as string;
    } catch {
      throw new Mistake("a text holds a control character or an unknown escape", from);
    }
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected("a value");
    this.#at += word.length;
    return value;
  }

  /** Steps over `char` if it comes next. */
  #next(char: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    this.#match(SPACE);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text)?.[0];
    if (match !== undefined) this.#at += match.length;
    return match;
  }

  #unexpected(wanted: string): Mistake {
    const point = this.#text.codePointAt(this.#at);
    const found =
      point === undefined ? "the text ends" : `found ${JSON.stringify(String.fromCodePoint(point))}`;
    return new Mistake(`expected ${wanted}, ${found}`, this.#at);
  }
}
