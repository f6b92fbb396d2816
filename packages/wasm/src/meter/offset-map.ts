/**
 * Where the original code went in the metered module, both as offsets from the module's first byte; ordered. Plain data: pairs one after the
 * other, metered first. From there on either the original's code stands as it was, or, told by a negative number (-1 - the original's offset), code
 * of the meter's own: at the instruction that it stands for or in front of.
 */
export type OffsetMap = Int32Array;

/** The original's offset of the instruction that stands at `offset` of the metered module, or undefined outside of code. */
export function originalOffset(map: OffsetMap, offset: number): number | undefined {
  let low = 0;
  let high = map.length / 2 - 1;
  let found = -1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (map[middle * 2]! <= offset) {
      found = middle;
      low = middle + 1;
    } else high = middle - 1;
  }
  if (found < 0) return undefined;
  const original = map[found * 2 + 1]!;
  return original < 0 ? -1 - original : original + (offset - map[found * 2]!);
}

/** Collects an {@link OffsetMap} while functions are written. */
export class OffsetMapBuilder {
  readonly #pairs: number[] = [];
  #function = 0;

  /** Begins a function; {@link shift} moves what is added from here on. */
  beginFunction(): void {
    this.#function = this.#pairs.length;
  }

  /** From `metered` on stands code of the meter's own, for the instruction at `original`. */
  add(metered: number, original: number): void {
    this.#pairs.push(metered, -1 - original);
  }

  /** At `metered` stands the original's code `from` to `to`; what follows is the meter's own, until more is added. */
  addPiece(metered: number, from: number, to: number): void {
    if (from >= to) return;
    this.#pairs.push(metered, from);
    this.add(metered + (to - from), to);
  }

  /** Moves the present function's entries by `bytes`. */
  shift(bytes: number): void {
    for (let index = this.#function; index < this.#pairs.length; index += 2) this.#pairs[index]! += bytes;
  }

  /** The map, its metered offsets moved by where the code section came to stand. */
  finish(codeAt: number): OffsetMap {
    const map = Int32Array.from(this.#pairs);
    for (let index = 0; index < map.length; index += 2) map[index]! += codeAt;
    return map;
  }
}
