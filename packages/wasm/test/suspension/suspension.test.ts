import type { Clock } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { Governor, type GuestThread } from "../../src/governor/index.ts";
import { meter } from "../../src/meter/index.ts";
import { Suspension } from "../../src/suspension/suspension.ts";
import { Turns } from "../../src/suspension/turns.ts";
import { callOf } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

/** Waits, whatever comes of it, and then tells the host. */
const TEXT = `(module (import "h" "wait" (func $wait (result i32))) (import "h" "on" (func $on))
  (func (export "f") (try (do (drop (call $wait))) (catch_all)) (call $on)))`;

function guest() {
  const thread: GuestThread = { current: undefined };
  const clock = { time: 0, now: () => clock.time };
  const tally = new Float64Array(2);
  const governor = new Governor({ clock, thread, tally });
  const suspension = new Suspension("guest", governor, clock.now);
  const metered = meter(wat(TEXT), { mode: "exact", stackBytes: 65_536 });
  const waits: PromiseWithResolvers<number>[] = [];
  const seen: string[] = [];
  const wait = (): Promise<number> => {
    seen.push(thread.current === governor ? "inside" : "lost");
    const made = Promise.withResolvers<number>();
    waits.push(made);
    return made.promise;
  };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(metered.bytes), {
    h: {
      wait: suspension.suspend(wait, { value: 0 }),
      on: suspension.hold(() => void seen.push("on")) as WebAssembly.ExportValue,
    },
  });
  governor.adopt(instance, metered.meta);
  const f = suspension.later(instance.exports["f"] as () => void);
  return { thread, clock, tally, governor, suspension, waits, seen, f };
}

describe("a guest that waits", () => {
  test("is no longer the thread's current one, and its time stands still", async () => {
    const { thread, clock, governor, suspension, waits, seen, f } = guest();
    governor.enterDetached({ cpuMs: 10 });
    suspension.begin(callOf("f"), () => {});
    const answer = f();
    expect(thread.current).toBe(undefined);
    clock.time += 1_000;
    expect(governor.usage.cpuMs).toBe(0);
    waits[0]?.resolve(1);
    await answer;
    suspension.finish();
    governor.leave();
    expect(seen).toEqual(["inside", "on"]);
    expect(governor.usage.cpuMs).toBe(0);
  });

  test("has its stack back when it is ended, and runs nothing on it", async () => {
    const { governor, suspension, waits, seen, f } = guest();
    governor.enterDetached({});
    const ends: unknown[] = [];
    suspension.begin(callOf("f"), (error) => ends.push(error));
    const answer = f();
    suspension.dispose();
    // the promise of the engine's own: it settles only when the stack is unwound
    await expect(answer).rejects.toBeInstanceOf(WebAssembly.RuntimeError);
    waits[0]?.resolve(1);
    await waits[0]?.promise;
    expect(seen).toEqual(["inside"]);
    expect(ends).toEqual([expect.objectContaining({ code: "MODULE_NOT_RUNNING" })]);
    expect(governor.dead).toBe(true);
  });

  test("is counted once, also when it is ended long after its last call, inside another guest's", async () => {
    const { thread, clock, tally, governor, suspension, waits, f } = guest();
    governor.enterDetached({});
    suspension.begin(callOf("f"), () => {});
    const answer = f();
    waits[0]?.resolve(1);
    await answer;
    suspension.finish();
    governor.leave();
    const counted = [...tally];
    expect(counted[0]).toBeGreaterThan(0);
    clock.time += 60_000;
    const other = new Governor({ clock, thread });
    other.run({}, () => {
      suspension.dispose();
      expect(thread.current).toBe(other);
    });
    expect([...tally]).toEqual(counted);
    expect(governor.dead).toBe(true);
    expect(() => governor.enterDetached({})).toThrow("cannot run again");
  });

  test("does not hinder another on the same thread, entered and left in any order", async () => {
    const one = guest();
    const other = guest();
    const calls = [one, other].map((each) => {
      each.governor.enterDetached({});
      each.suspension.begin(callOf("f"), () => {});
      return each.f();
    });
    other.waits[0]?.resolve(1);
    await calls[1];
    other.governor.leave();
    one.waits[0]?.resolve(1);
    await calls[0];
    one.governor.leave();
    expect([one.seen, other.seen]).toEqual([
      ["inside", "on"],
      ["inside", "on"],
    ]);
  });
});

test("a guest that is ended while it waits for its turn leaves the line, and nobody waits behind it", async () => {
  let time = 0;
  const clock: Clock = {
    now: () => time,
    wall: () => time,
    after: () => ({ [Symbol.dispose]() {} }),
    turn: () => {},
  };
  const turns = new Turns(clock);
  const governor = new Governor({ clock });
  const suspension = new Suspension("guest", governor, clock.now, turns);
  governor.enterDetached({});
  expect(turns.mayRun(0)).toBe(true);
  time = 5;
  let resumed = false;
  const turn = governor.nextTurn?.(time)?.then(() => (resumed = true));
  expect(turns.mayRun(0.5)).toBe(false);
  suspension.dispose();
  await turn;
  expect(resumed).toBe(true);
  expect(turns.mayRun(0.5)).toBe(true);
});

test("a guest that is stopped in the midst of its slices does not wait for a turn to end", async (context) => {
  const { promising } = WebAssembly;
  if (promising === undefined) return context.skip("guests cannot be suspended here");
  const governor = new Governor({ clock: { now: () => 0 } });
  const asked: (string | undefined)[] = [];
  governor.nextTurn = () => {
    asked.push(governor.stopped?.code);
    return Promise.resolve();
  };
  const text = `(module (func (export "f") (loop (br 0))))`;
  const { bytes, meta } = meter(wat(text), { mode: "exact", stackBytes: 65_536 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  governor.adopt(instance, meta);
  governor.enterDetached({ fuel: 1_000_000 });
  const thrown: unknown = await promising(instance.exports["f"] as () => Promise<void>)().catch(
    (error: unknown) => error,
  );
  expect(governor.fail(thrown)).toMatchObject({ code: "FUEL_EXHAUSTED" });
  expect(asked.length).toBeGreaterThan(1);
  expect(asked.filter((code) => code !== undefined)).toEqual([]);
});
