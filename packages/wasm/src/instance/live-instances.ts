import { KeelsonError, type Call, type PlaceShare, type PlaceUser, type Platform } from "@keelson/core";
import { Remains } from "./remains.ts";

/** Live instances a kernel may have by default: each memory reserves 4 to 8 GB of address space on V8, which ends at some 16,000. */
export const DEFAULT_MAX_INSTANCES = 1000;

interface Member {
  readonly user: PlaceUser;
  readonly max: number;
}

/**
 * How many instances are alive, and who waits for one of them to end: whoever waits longest comes first, in whichever pool. An idle instance of
 * one pool is ended for a caller of another.
 */
export class LiveInstances {
  #count = 0;
  readonly #members = new Set<Member>();
  readonly #remains = new Remains();
  /** Places are being handed out, or kept: what becomes free meanwhile is looked at by whoever does that. */
  #busy = false;
  #wanted = false;

  get count(): number {
    return this.#count;
  }

  /** Counts one more, for which idle ones may be ended; `INSTANCE_LIMIT` when there are `max` all the same. */
  take(module: string, max: number): void {
    if (this.#count >= max) this.#alone(() => this.#makeRoom(max));
    if (this.#count >= max) {
      throw new KeelsonError(
        "INSTANCE_LIMIT",
        `${module}: ${this.#count} WebAssembly instances are alive, which is the cap`,
        {
          hint: "lower pool.min and pool.max of the wasm modules, or raise limits.instances",
          details: { live: this.#count, max },
        },
      );
    }
    this.#count++;
    this.#remains.press();
  }

  /** Counts one less. @param holder of its memory, of so many bytes, until that is collected */
  give(holder?: object, bytes = 0): void {
    this.#count--;
    if (holder !== undefined) this.#remains.add(holder, bytes);
    if (this.#wanted) this.#serve();
  }

  /** Ends one instance and makes another, whose place nobody takes in between. */
  exchange<T>(end: () => void, make: () => T): T {
    try {
      return this.#alone(() => {
        end();
        return make();
      });
    } finally {
      if (this.#wanted) this.#serve();
    }
  }

  /** @param max live instances above which no further one of this user is made */
  join(user: PlaceUser, max: number): PlaceShare {
    const member = { user, max };
    this.#members.add(member);
    if (this.#wanted) user.wanted(true);
    return {
      lack: () => this.#want(),
      offer: () => this.#serve(),
      behind: (since) => (this.#next(-1)?.user.lackingSince ?? Infinity) < since,
      hopeful: (call) => this.#kept(call) < max,
      [Symbol.dispose]: () => void this.#members.delete(member),
    };
  }

  #kept(call: Call | undefined): number {
    let kept = 0;
    for (const { user } of this.#members) kept += user.keeps(call);
    return kept;
  }

  #want(): void {
    this.#tellWanted(true);
    // What was made with a promise may have learned of it late.
    this.#serve();
  }

  #tellWanted(is: boolean): void {
    if (this.#wanted === is) return;
    this.#wanted = is;
    for (const { user } of this.#members) user.wanted(is);
  }

  /** Hands out what is free, or can be made free, to those who lack it. */
  #serve(): void {
    if (this.#busy) return;
    this.#alone(() => {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        const since = next.user.lackingSince;
        this.#makeRoom(next.max);
        if (this.#count >= next.max) return;
        const before = this.#count;
        next.user.retry();
        if (this.#count <= before && next.user.lackingSince === since) return;
      }
    });
  }

  /**
   * Who has waited longest of those for whom there is room or can be made; tells everybody when nobody lacks anything.
   *
   * @param change by how many instances the count is about to change
   */
  #next(change = 0): Member | undefined {
    let first: Member | undefined;
    let lacking = false;
    const needed = this.#count + change - this.#spares();
    for (const member of this.#members) {
      const since = member.user.lackingSince;
      if (since === undefined) continue;
      lacking = true;
      if (needed < member.max && since < (first?.user.lackingSince ?? Infinity)) first = member;
    }
    this.#tellWanted(lacking);
    return first;
  }

  #spares(): number {
    let spares = 0;
    for (const { user } of this.#members) spares += user.spares;
    return spares;
  }

  /** Ends idle instances until fewer than `max` are left, if there are enough; the pool that has most of them gives first. */
  #makeRoom(max: number): void {
    let needed = this.#count - max + 1;
    if (needed > this.#spares()) return;
    for (; needed > 0; needed--) {
      let most: PlaceUser | undefined;
      for (const { user } of this.#members) if (user.spares > (most?.spares ?? 0)) most = user;
      most?.spare();
    }
  }

  #alone<T>(run: () => T): T {
    const outer = this.#busy;
    this.#busy = true;
    try {
      return run();
    } finally {
      this.#busy = outer;
    }
  }
}

// The address space belongs to the program, and a kernel is known here by its platform alone. The keys are weak: a kernel that
// is gone takes its count with it.
const byPlatform = new WeakMap<Platform, LiveInstances>();

/** The count shared by all modules of the kernel that runs on `platform`. */
export function liveInstances(platform: Platform): LiveInstances {
  let live = byPlatform.get(platform);
  if (live === undefined) {
    live = new LiveInstances();
    byPlatform.set(platform, live);
  }
  return live;
}
