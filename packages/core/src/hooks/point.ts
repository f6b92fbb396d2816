import { PriorityList } from "../primitives/priority-list.ts";
import type { HookHandler } from "./handler.ts";

/**
 * One extension point: the handlers of one hook's filters, or of its actions. A module keeps its place among handlers of equal
 * priority when a new generation takes over, so that a reload does not change the order of a chain of filters.
 */
export class HookPoint {
  readonly #live = new PriorityList<HookHandler>();
  readonly #ranks = new Map<string, number>();

  /** The live handlers in order, as of now. */
  get handlers(): readonly HookHandler[] {
    return this.#live.values;
  }

  /** Nobody is here, and no place is kept for anybody. */
  get empty(): boolean {
    return this.#live.size === 0 && this.#ranks.size === 0;
  }

  add(handler: HookHandler): Disposable {
    return this.#live.add(handler, handler.priority, this.#rank(handler.module));
  }

  /** Gives up the place kept for a module. */
  forget(module: string): void {
    this.#ranks.delete(module);
  }

  #rank(module: string | undefined): number {
    if (module === undefined) return this.#live.arrive();
    let rank = this.#ranks.get(module);
    if (rank === undefined) this.#ranks.set(module, (rank = this.#live.arrive()));
    return rank;
  }
}
