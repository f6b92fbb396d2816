import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createClock } from "../src/clock.ts";
import { adapter, program, textOf } from "./adapter.ts";

describe("createClock()", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] }));
  afterEach(() => void vi.useRealTimers());

  it("runs once when the time has come, and not when it was disposed before", () => {
    const clock = createClock();
    const ran: string[] = [];
    clock.after(10, () => ran.push("a"));
    clock.after(10, () => ran.push("b"))[Symbol.dispose]();
    vi.advanceTimersByTime(9);
    expect(ran).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(ran).toEqual(["a"]);
  });

  it("keeps delays that are longer than a native timer can be", () => {
    const clock = createClock();
    let ran = 0;
    const days = 60 * 24 * 3600 * 1000;
    clock.after(days, () => ran++);
    vi.advanceTimersByTime(days - 1);
    expect(ran).toBe(0);
    vi.advanceTimersByTime(1);
    expect(ran).toBe(1);
    vi.advanceTimersByTime(days);
    expect(ran).toBe(1);
  });

  it("never comes to Infinity, and can be disposed while a long delay is under way", () => {
    const clock = createClock();
    let ran = 0;
    const long = clock.after(2 ** 33, () => ran++);
    const never = clock.after(Infinity, () => ran++);
    vi.advanceTimersByTime(2 ** 32);
    long[Symbol.dispose]();
    vi.advanceTimersByTime(2 ** 33);
    expect(ran).toBe(0);
    never[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("takes a delay below 0, or none, for 0", () => {
    const clock = createClock();
    let ran = 0;
    clock.after(-5, () => ran++);
    clock.after(Number.NaN, () => ran++);
    vi.advanceTimersByTime(1);
    expect(ran).toBe(2);
  });
});

describe("the adapter's clock", () => {
  it("only grows, and tells the wall time", async () => {
    const { clock } = await adapter();
    const before = clock.now();
    await new Promise<void>((resolve) => clock.after(5, resolve));
    expect(clock.now() - before).toBeGreaterThanOrEqual(4);
    expect(Math.abs(clock.wall() - Date.now())).toBeLessThan(1000);
  });

  it("turns with the event loop: timers and other ports come between, without a millisecond lost", async ({
    skip,
  }) => {
    const { clock, name } = await adapter();
    const turn = clock.turn?.bind(clock);
    if (turn === undefined) return skip(`the clock of ${name} has no turns, which the contract allows`);
    let timer = false;
    let turns = 0;
    clock.after(1, () => (timer = true));
    const started = clock.now();
    while (!timer) {
      await new Promise<void>((resolve) => turn(resolve));
      if (++turns > 1_000_000) break;
    }
    expect(timer).toBe(true);
    expect(turns / (clock.now() - started)).toBeGreaterThan(5);
  });

  it("lets the program end while a background timer waits, and keeps it alive for any other", async () => {
    const { processes } = await adapter();
    await using child = await processes.spawn(...program("timers.ts"), {});
    const said = textOf(child.stdout);
    expect(await child.exited).toEqual({ code: 0 });
    expect(await said).toBe("came\n");
  });
});
