import { SectionId } from "../../binary/numbers.ts";
import { Writer } from "./writer.ts";

/** Collects which branches are unlikely, for the section that tells the engine: see the branch hinting proposal. */
export class BranchHints {
  /** The functions that have some, encoded. */
  readonly #encoded = new Writer(1024);
  #functions = 0;
  /** Of the function being written. */
  #offsets = new Int32Array(64);
  #count = 0;

  /** The branch that stands at `offset` of the function being written is unlikely. */
  note(offset: number): void {
    if (this.#count === this.#offsets.length) {
      const offsets = new Int32Array(this.#count * 2);
      offsets.set(this.#offsets);
      this.#offsets = offsets;
    }
    this.#offsets[this.#count++] = offset;
  }

  /** The function being written was number `index`; another one begins. */
  endFunction(index: number): void {
    if (this.#count === 0) return;
    const encoded = this.#encoded;
    encoded.u32(index);
    encoded.u32(this.#count);
    for (let at = 0; at < this.#count; at++) {
      encoded.u32(this.#offsets[at]!);
      // one byte: 0, unlikely
      encoded.op(1, 0);
    }
    this.#functions++;
    this.#count = 0;
  }

  /** The section, or undefined where there is nothing to tell. */
  finish(): Uint8Array | undefined {
    const encoded = this.#encoded;
    if (this.#functions === 0) return undefined;
    const writer = new Writer(64 + encoded.at);
    writer.byte(SectionId.custom);
    writer.sized(() => {
      writer.name("metadata.code.branch_hint");
      writer.u32(this.#functions);
      writer.copy(encoded.bytes, 0, encoded.at);
    });
    return writer.take();
  }
}
