import type { Clock } from "@keelson/core";
import { describe, expect, it } from "vitest";
import { Turns } from "../../src/suspension/turns.ts";
import { WaitingLine, type Waiting } from "../../src/suspension/waiting-line.ts";

const SLICE_MS = 0.05;

/** A thread on which `count` guests run for ever, a slice at a time; its time goes by when it is spent. */
class Thread {
  readonly ran: number[];
  readonly #turns: Turns;
  readonly #timerMs: number | undefined;
  #now = 0;
  #next: (() => void) | undefined;
  #ready: number[] = [];
  readonly #places: readonly Waiting[];

  /** @param timerMs when a timer of 0 ms comes, for a clock without turns */
  constructor(count: number, timerMs?: number) {
    const ask = (run: () => void): void => void (this.#next = run);
    const clock: Clock = {
      now: () => this.#now,
      wall: () => this.#now,
      after: (_ms, run) => {
        ask(run);
        return { [Symbol.dispose]() {} };
      },
      ...(timerMs === undefined ? { turn: ask } : {}),
    };
    this.#timerMs = timerMs;
    this.#turns = new Turns(clock);
    this.ran = Array.from({ length: count }, () => 0);
    this.#places = this.ran.map((_, guest) => ({
      resume: () => void this.#ready.push(guest),
      before: undefined,
      behind: undefined,
    }));
    this.#ready = [...this.ran.keys()];
  }

  /** One turn: guests as long as they may, then others for `othersMs`. Answers what the guests had, ms. */
  turn(othersMs: number): number {
    const begun = this.#now;
    const next = this.#next;
    this.#next = undefined;
    next?.();
    for (let guest = this.#ready.shift(); guest !== undefined; guest = this.#ready.shift()) {
      do {
        this.#now += SLICE_MS;
        this.ran[guest]! += SLICE_MS;
      } while (this.#turns.mayRun(this.#now));
      this.#turns.wait(this.#places[guest] as Waiting, this.#now);
    }
    const guests = this.#now - begun;
    // A timer comes when it is due, and when nobody else holds the thread.
    this.#now = Math.max(begun + (this.#timerMs ?? 0), this.#now + othersMs);
    return guests;
  }

  /** Somebody has short work of `ms` to do in the guests' time; `done` is told when it is. */
  work(ms: number, done: () => void): void {
    void this.#turns.run(() => {
      this.#now += ms;
      done();
    });
  }

  leave(guest: number): void {
    this.#turns.leave(this.#places[guest] as Waiting);
  }
}

describe("turns of guests that share a thread", () => {
  it("guests have up to 1 ms of each turn while they are alone, and a quarter of it as soon as they are not", () => {
    const thread = new Thread(8);
    for (let turns = 0; turns < 30; turns++) thread.turn(0.01);
    expect(thread.turn(0.01)).toBeCloseTo(1, 1);
    thread.turn(0.3);
    expect(thread.turn(0.3)).toBeCloseTo(0.25, 1);
  });

  it("others that only wait for another thread find guests that take little, until they have had nothing to do for 5 ms", () => {
    const thread = new Thread(8);
    thread.turn(0.3);
    let littleMs = 0;
    let turns = 0;
    for (let ms = thread.turn(0); ms < 0.4; ms = thread.turn(0)) {
      littleMs += ms;
      turns++;
    }
    expect(turns).toBeGreaterThan(10);
    expect(littleMs).toBeGreaterThan(4);
    expect(littleMs).toBeLessThan(6);
    for (let more = 0; more < 3; more++) thread.turn(0);
    expect(thread.turn(0)).toBeCloseTo(1, 1);
  });

  it("what is done in the guests' time is done at once while that lasts, and then a turn's worth in each turn", async () => {
    const thread = new Thread(0);
    let done = 0;
    for (let pieces = 0; pieces < 12; pieces++) thread.work(0.4, () => done++);
    const perTurn = [done];
    while (done < 12) {
      const before = done;
      thread.turn(0);
      // The pieces of a turn follow one another by promises.
      for (let steps = 0; steps < 20; steps++) await Promise.resolve();
      perTurn.push(done - before);
    }
    expect(perTurn).toEqual([3, 3, 3, 3]);
  });

  it("others that hold the thread for long leave a share of it to the guests", () => {
    const thread = new Thread(3);
    for (let turns = 0; turns < 5; turns++) thread.turn(2);
    expect(thread.turn(2)).toBeCloseTo(0.5, 1);
    thread.turn(40);
    expect(thread.turn(40)).toBeCloseTo(1, 1);
  });

  it("a clock with timers alone, which are late whether others do anything or not, costs guests nothing of their 1 ms", () => {
    const thread = new Thread(3, 5);
    thread.turn(0.3);
    for (let turns = 0; turns < 5; turns++) expect(thread.turn(0.3)).toBeCloseTo(1, 1);
  });

  it("all guests have the same", () => {
    const thread = new Thread(7);
    for (let turns = 0; turns < 200; turns++) thread.turn(turns % 3 === 0 ? 1.5 : 0);
    // The first of them was alone for a turn, which is 1 ms.
    expect(Math.max(...thread.ran) - Math.min(...thread.ran)).toBeLessThan(1.2);
    expect(Math.min(...thread.ran)).toBeGreaterThan(5);
  });

  it("who leaves has no turn any more, and holds nobody up", () => {
    const thread = new Thread(3);
    for (let turns = 0; turns < 10; turns++) thread.turn(0);
    thread.leave(1);
    thread.leave(1);
    const [first = 0, second = 0] = thread.ran;
    for (let turns = 0; turns < 10; turns++) thread.turn(0);
    expect(thread.ran[1]).toBe(second);
    expect(thread.ran[0]).toBeGreaterThan(first + 1);
  });
});

describe("WaitingLine", () => {
  const named = (): Waiting => ({ resume() {}, before: undefined, behind: undefined });

  it("gives who has waited longest, and lets anybody leave", () => {
    const line = new WaitingLine();
    const [a, b, c, d] = [named(), named(), named(), named()] as const;
    for (const one of [a, b, c, d]) line.add(one);
    for (const one of [b, d, b]) line.remove(one);
    line.add(b);
    expect([line.first, line.take(), line.take(), line.take(), line.take(), line.first]).toEqual([
      a,
      a,
      c,
      b,
      undefined,
      undefined,
    ]);
    line.add(d);
    expect(line.take()).toBe(d);
  });

  it("holds nothing of who has left", () => {
    const line = new WaitingLine();
    const [a, b] = [named(), named()] as const;
    line.add(a);
    line.add(b);
    line.take();
    expect([a.before, a.behind, b.before, b.behind]).toEqual([undefined, undefined, undefined, undefined]);
  });
});
