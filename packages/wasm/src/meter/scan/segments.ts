import { grown } from "./grown.ts";

/** Blocks up to this cost are charged with the block that leads to them, whether or not they are executed. */
const SMALL_BLOCK = 12;
/** What a block may be charged for such blocks in all. */
const SMALL_BLOCKS = 20;

/** The segments of one function's code, each of which is charged where it begins. */
export class Segments {
  count = 0;
  cost: Float64Array = new Float64Array(256);
  /** 1: a test stands where the segment is charged. */
  tested: Uint8Array = new Uint8Array(256);
  /** The segment that is executed whenever this one is; -1 where the two are not to be charged together. */
  #parent: Int32Array = new Int32Array(256);
  /** What a segment is charged for small ones that it leads to. */
  #extra: Int32Array = new Int32Array(256);

  add(parent: number): number {
    if (this.count === this.cost.length) {
      this.cost = grown(this.cost);
      this.tested = grown(this.tested);
      this.#parent = grown(this.#parent);
      this.#extra = grown(this.#extra);
    }
    const segment = this.count++;
    this.cost[segment] = this.tested[segment] = this.#extra[segment] = 0;
    this.#parent[segment] = parent;
    return segment;
  }

  /** Moves the cost of small segments to those that lead to them: a charge costs more than they do. */
  chargeSmallBlocks(): void {
    for (let segment = this.count - 1; segment > 0; segment--) {
      const parent = this.#parent[segment]!;
      const cost = this.cost[segment]!;
      if (parent < 0 || cost > SMALL_BLOCK || this.#extra[parent]! + cost > SMALL_BLOCKS) continue;
      this.#extra[parent]! += cost;
      this.cost[parent]! += cost;
      this.cost[segment] = 0;
    }
  }

  /** A segment costs no more than the longest way through it. */
  lower(segment: number, cost: number): void {
    this.cost[segment] = Math.min(this.cost[segment]!, cost);
  }
}
