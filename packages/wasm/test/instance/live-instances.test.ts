import type { PlaceShare, PlaceUser } from "@keelson/core";
import { describe, expect, it } from "vitest";
import { LiveInstances } from "../../src/instance/live-instances.ts";

/** A pool as far as places know it: takes one at each retry while it lacks any. */
class User implements PlaceUser {
  lackingSince: number | undefined;
  spares = 0;
  kept = 0;
  /** What it was told of others' needs. */
  readonly told: boolean[] = [];
  readonly share: PlaceShare;
  readonly #live: LiveInstances;
  readonly #max: number;
  readonly #name: string;
  readonly #log: string[];

  constructor(live: LiveInstances, max: number, name: string, log: string[]) {
    this.#live = live;
    this.#max = max;
    this.#name = name;
    this.#log = log;
    this.share = live.join(this, max);
  }

  keeps(): number {
    return this.kept;
  }

  spare(): void {
    this.#log.push(`${this.#name} spares`);
    this.spares--;
    this.#live.give();
  }

  retry(): void {
    this.#log.push(`${this.#name} takes`);
    this.#live.take(this.#name, this.#max);
    this.lackingSince = undefined;
  }

  wanted(is: boolean): void {
    this.told.push(is);
  }

  lack(since: number): void {
    this.lackingSince = since;
    this.share.lack();
  }
}

function users(max: number, ...names: string[]): { live: LiveInstances; log: string[]; users: User[] } {
  const live = new LiveInstances();
  const log: string[] = [];
  return { live, log, users: names.map((name) => new User(live, max, name, log)) };
}

describe("places for live instances", () => {
  it("go to whoever has waited longest, and all are told while anybody waits", () => {
    const { live, log, users: made } = users(1, "a", "b", "c");
    const [a, b, c] = made as [User, User, User];
    live.take("a", 1);
    b.lack(20);
    c.lack(10);
    expect(log).toEqual([]);
    expect([a.told, b.told]).toEqual([[true], [true]]);
    live.give();
    expect(log).toEqual(["c takes"]);
    expect(a.told).toEqual([true]);
    live.give();
    expect(log).toEqual(["c takes", "b takes"]);
    live.give();
    expect(a.told).toEqual([true, false]);
    expect(live.count).toBe(0);
  });

  it("are told of to who joins while somebody waits, and not to who has left", () => {
    const { live, log, users: made } = users(1, "a", "b");
    const [a, b] = made as [User, User];
    live.take("a", 1);
    a.share[Symbol.dispose]();
    b.lack(1);
    expect(new User(live, 1, "late", log).told).toEqual([true]);
    expect(a.told).toEqual([]);
    a.lackingSince = 0;
    a.spares = 1;
    live.give();
    expect(log).toEqual(["b takes"]);
  });

  it("that somebody begins to lack while an instance is exchanged for another are looked for once that is done", () => {
    const { live, log, users: made } = users(1, "a", "b");
    const [a, b] = made as [User, User];
    live.take("a", 1);
    live.exchange(
      () => live.give(),
      () => {
        // The place is kept for the exchange.
        b.lack(5);
        expect(log).toEqual([]);
        live.take("a", 1);
        a.spares = 1;
      },
    );
    expect(log).toEqual(["a spares", "b takes"]);
  });

  it("of an exchange that fails go to who lacks one", () => {
    const { live, log, users: made } = users(1, "a", "b");
    live.take("a", 1);
    made[1]?.lack(5);
    const fails = (): void =>
      live.exchange(
        () => live.give(),
        () => {
          throw new Error("it could not be made");
        },
      );
    expect(fails).toThrow("it could not be made");
    expect(log).toEqual(["b takes"]);
  });

  it("are made by those who have most idle ones, as many as are needed, and none are ended in vain", () => {
    const { live, log, users: made } = users(4, "a", "b", "c");
    const [a, b] = made as [User, User, User];
    for (let count = 0; count < 4; count++) live.take("x", 4);
    [a.spares, b.spares] = [1, 2];
    live.take("c", 4);
    expect(log).toEqual(["b spares"]);
    expect(live.count).toBe(4);
    // Two must go for the first who may have three, and there are but two.
    live.take("c", 3);
    expect(log).toEqual(["b spares", "a spares", "b spares"]);
    expect(live.count).toBe(3);
    expect(() => live.take("c", 3)).toThrow(expect.objectContaining({ code: "INSTANCE_LIMIT" }));
    [a.spares, b.spares] = [1, 0];
    expect(() => live.take("c", 2)).toThrow(expect.objectContaining({ code: "INSTANCE_LIMIT" }));
    expect(log).toHaveLength(3);
    expect(live.count).toBe(3);
  });

  it("are not offered again and again to one that does not take them", () => {
    const { live, log, users: made } = users(1, "a");
    const [a] = made as [User];
    a.retry = () => void log.push("a declines");
    a.lack(1);
    expect(log).toEqual(["a declines"]);
    a.share.offer();
    expect(log).toEqual(["a declines", "a declines"]);
    expect(live.count).toBe(0);
  });

  it("are claimed by those before one only when they waited longer and would get it", () => {
    const { live, log, users: made } = users(1, "a", "b");
    const [a, b] = made as [User, User];
    const narrow = new User(live, 0, "narrow", log);
    live.take("a", 1);
    expect(a.share.behind(10)).toBe(false);
    narrow.lack(1);
    expect(a.share.behind(10)).toBe(false);
    b.lack(10);
    expect(a.share.behind(10)).toBe(false);
    expect(a.share.behind(11)).toBe(true);
  });

  it("can be hoped for unless all are kept", () => {
    const { users: made } = users(2, "a", "b");
    const [a, b] = made as [User, User];
    a.kept = 1;
    expect(b.share.hopeful(undefined)).toBe(true);
    b.kept = 1;
    expect(b.share.hopeful(undefined)).toBe(false);
  });
});
