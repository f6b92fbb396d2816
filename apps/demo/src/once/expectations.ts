/** Expectations, each printed as a line when it is known whether it holds. */
export class Expectations {
  readonly #print: (line: string) => void;
  readonly #broken: string[] = [];
  #count = 0;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  /** Whether all held, and there were any. */
  get held(): boolean {
    return this.#count > 0 && this.#broken.length === 0;
  }

  that(what: string, held: boolean, detail = ""): void {
    this.#count++;
    if (!held) this.#broken.push(what);
    this.#print(`${held ? "ok    " : "NOT ok"} ${what}${detail === "" ? "" : ` (${detail})`}`);
  }

  /** The last line: how many held, and which did not. */
  summary(): string {
    const held = this.#count - this.#broken.length;
    const rest = this.#broken.length === 0 ? "" : `; not: ${this.#broken.join("; ")}`;
    return `${held} of ${this.#count} expectations held${rest}`;
  }
}
