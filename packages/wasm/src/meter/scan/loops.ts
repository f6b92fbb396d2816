import { grown } from "./grown.ts";

/** In place of a loop's number: there is none around. */
export const NO_LOOP: number = -1;

/** The loops of one function, numbered in the order in which they begin. */
export class Loops {
  count = 0;
  /** The loop around it, or {@link NO_LOOP}. */
  parent: Int32Array = new Int32Array(64);
  /** Its body's segment. */
  segment: Int32Array = new Int32Array(64);
  /** 1: the loop makes calls, or holds exception handlers. */
  calls: Uint8Array = new Uint8Array(64);
  /** 1: the loop takes parameters. */
  params: Uint8Array = new Uint8Array(64);
  /** 1: an exception handler branches to the loop's header. */
  landing: Uint8Array = new Uint8Array(64);
  /** 1: the loop holds blocks or loops, or is left by something before which nothing can be done. */
  stays: Uint8Array = new Uint8Array(64);
  /** The actions of the loop's header and end. */
  first: Int32Array = new Int32Array(64);
  last: Int32Array = new Int32Array(64);

  add(parent: number, segment: number, params: boolean): number {
    if (this.count === this.parent.length) {
      this.parent = grown(this.parent);
      this.segment = grown(this.segment);
      this.calls = grown(this.calls);
      this.params = grown(this.params);
      this.landing = grown(this.landing);
      this.stays = grown(this.stays);
      this.first = grown(this.first);
      this.last = grown(this.last);
    }
    const loop = this.count++;
    this.parent[loop] = parent;
    this.segment[loop] = segment;
    this.calls[loop] = this.landing[loop] = this.stays[loop] = 0;
    this.params[loop] = params ? 1 : 0;
    return loop;
  }
}
