import type { Clock, Value } from "@keelson/core";
import { expect, test } from "vitest";
import { FreshInstance, type RenewableInstance } from "../../src/state/fresh-instance.ts";
import { callOf } from "../support/instance.ts";

/** What became of an instance's guests, in order, and when its turn comes. */
class Scene {
  readonly told: string[] = [];
  readonly turns: (() => void)[] = [];
  /** Whether guests can be put back. */
  canRenew = true;
  /** What a guest answers. */
  answer: () => Value | Promise<Value> = () => 1;
  /** Thrown where another guest is to be made. */
  refused: Error | undefined;
  readonly instance: FreshInstance;
  /** The one that was made last. */
  guest: { dead: boolean } = { dead: false };
  #guests = 0;

  constructor(clock: Partial<Clock> = { turn: (run) => void this.turns.push(run) }) {
    const replace = (end: () => void): RenewableInstance => {
      end();
      if (this.refused !== undefined) throw this.refused;
      return this.#guest();
    };
    this.instance = new FreshInstance(this.#guest(), replace, clock as Clock);
  }

  #guest(): RenewableInstance {
    const name = `guest ${++this.#guests}`;
    const { told } = this;
    const guest = {
      dead: false,
      memoryBytes: 64 * this.#guests,
      call: () => (told.push(`${name} called`), this.answer()),
      renew: () => (told.push(`${name} renewed`), this.canRenew),
      [Symbol.dispose]: () => void told.push(`${name} ended`),
    };
    this.guest = guest;
    return guest;
  }

  call(): unknown {
    return this.instance.call(callOf("m"));
  }

  /** The event loop turns: how many had asked for that, and what was done. */
  turn(): readonly [asked: number, did: readonly string[]] {
    const asked = this.turns.splice(0);
    const from = this.told.length;
    for (const run of asked) run();
    return [asked.length, this.told.slice(from)];
  }
}

test("a guest is renewed after its call when the event loop turns, once, and not before its first call", () => {
  const scene = new Scene();
  for (let round = 0; round < 3; round++) {
    expect(scene.call()).toBe(1);
    expect(scene.told.splice(0)).toEqual(["guest 1 called"]);
    expect(scene.turn()).toEqual([1, ["guest 1 renewed"]]);
    scene.told.length = 0;
  }
});

test("a call that comes before the turn renews it, and the turn is asked for once", () => {
  const scene = new Scene();
  scene.call();
  scene.call();
  expect(scene.told).toEqual(["guest 1 called", "guest 1 renewed", "guest 1 called"]);
  expect(scene.turn()).toEqual([1, ["guest 1 renewed"]]);
});

test("a guest that is at work is let alone when the turn comes, and is renewed after it has answered", async () => {
  const scene = new Scene();
  scene.call();
  const { promise, resolve } = Promise.withResolvers<Value>();
  scene.answer = () => promise;
  const answer = scene.call();
  expect(scene.turn()).toEqual([1, []]);
  resolve(2);
  expect(await answer).toBe(2);
  expect(scene.turn()).toEqual([1, ["guest 1 renewed"]]);
  const failing = Promise.withResolvers<Value>();
  scene.answer = () => failing.promise;
  const failed = scene.call();
  failing.reject(new Error("no"));
  await expect(failed).rejects.toThrow("no");
  expect(scene.turn()).toEqual([1, ["guest 1 renewed"]]);
});

test("a call that throws is followed by a renewal as any other", () => {
  const scene = new Scene();
  scene.answer = () => {
    throw new Error("no");
  };
  expect(() => scene.call()).toThrow("no");
  expect(scene.turn()).toEqual([1, ["guest 1 renewed"]]);
});

test("what cannot be renewed is ended and made again; its size is that of the guest there is", () => {
  const scene = new Scene();
  scene.canRenew = false;
  scene.call();
  expect(scene.turn()).toEqual([1, ["guest 1 renewed", "guest 1 ended"]]);
  expect(scene.instance.memoryBytes).toBe(128);
  scene.call();
  scene.call();
  expect(scene.told.slice(3)).toEqual([
    "guest 2 called",
    "guest 2 renewed",
    "guest 2 ended",
    "guest 3 called",
  ]);
});

test("what cannot be made again at the turn is tried again at the next call, whose caller is told; then it is dead", () => {
  const scene = new Scene();
  scene.canRenew = false;
  scene.call();
  scene.refused = new Error("no room");
  expect(scene.turn()).toEqual([1, ["guest 1 renewed", "guest 1 ended"]]);
  expect([scene.instance.dead, scene.instance.memoryBytes]).toEqual([false, 0]);
  scene.refused = undefined;
  expect(scene.call()).toBe(1);
  scene.refused = new Error("no room");
  expect(() => scene.call()).toThrow("no room");
  expect(scene.instance.dead).toBe(true);
});

test("a guest that died in its call is not renewed, and its instance is dead with it", () => {
  const scene = new Scene();
  scene.answer = () => {
    scene.guest.dead = true;
    return 1;
  };
  scene.call();
  expect(scene.instance.dead).toBe(true);
  expect(scene.turn()).toEqual([0, []]);
});

test("an instance that was ended is not renewed, and is ended once", () => {
  const scene = new Scene();
  scene.call();
  scene.instance[Symbol.dispose]();
  expect(scene.turn()).toEqual([1, []]);
  expect([scene.instance.dead, scene.instance.memoryBytes]).toEqual([true, 0]);
  scene.instance[Symbol.dispose]();
  expect(scene.told).toEqual(["guest 1 called", "guest 1 ended"]);
});

test("where the event loop's turns cannot be had, a timer that keeps no program alive takes their place", () => {
  const timers: [number, boolean | undefined][] = [];
  const scene: Scene = new Scene({
    after(ms, run, background) {
      timers.push([ms, background]);
      scene.turns.push(run);
      return { [Symbol.dispose]: () => undefined };
    },
  });
  scene.call();
  expect(timers).toEqual([[0, true]]);
  expect(scene.turn()).toEqual([1, ["guest 1 renewed"]]);
});
