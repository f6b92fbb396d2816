import { grown } from "./grown.ts";

/** What the scan has found to do in one function, in the order of positions. */
export class ActionList {
  /** Four for each: position, kind (see `Action`) and two facts. */
  numbers: Int32Array = new Int32Array(4096);
  count = 0;

  add(at: number, action: number, a: number, b: number): void {
    const index = this.count * 4;
    if (index === this.numbers.length) this.numbers = grown(this.numbers);
    const { numbers } = this;
    numbers[index] = at;
    numbers[index + 1] = action;
    numbers[index + 2] = a;
    numbers[index + 3] = b;
    this.count++;
  }
}
