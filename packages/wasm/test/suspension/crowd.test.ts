import { afterEach, expect, test } from "vitest";
import { suspending } from "../../src/index.ts";
import { liveInstances } from "../../src/instance/live-instances.ts";
import { codeOf } from "../isolation/harness.ts";
import { startGuest } from "../support/kernels.ts";
import { wat } from "../support/wat.ts";

const CROWD = 1_000;

const GUEST = wat(`(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (import "host" "went-on" (func $on))
  (func (export "wait") (param i32) (result i32) (local $got i32)
    (local.set $got (call $wait (local.get 0)))
    (call $on)
    (local.get $got)))`);

const waits: ((value: number) => void)[] = [];
let wentOn = 0;
afterEach(() => {
  waits.length = wentOn = 0;
});

const imports = {
  host: {
    wait: suspending((value: number) => {
      const { promise, resolve } = Promise.withResolvers<number>();
      waits.push((more) => resolve(value + more));
      return promise;
    }) as never,
    "went-on": (() => void wentOn++) as never,
  },
};

test("a thousand suspended calls at once: each gets its own answer, all end with their caller, and no instance is left", async () => {
  const kernel = await startGuest({
    source: GUEST,
    imports,
    pool: { min: 0, max: CROWD },
    quarantine: false,
  });
  const begin = (signal?: AbortSignal): readonly Promise<string>[] => {
    const options = signal === undefined ? {} : { signal };
    return Array.from({ length: CROWD }, (_, index) =>
      codeOf(kernel.invoke("guest", "wait", index, { timeoutMs: 300_000, ...options })),
    );
  };
  const suspended = async (count: number): Promise<void> => {
    while (waits.length < count) await new Promise<void>((resolve) => setImmediate(resolve));
  };

  const first = begin();
  await suspended(CROWD);
  expect(liveInstances(kernel.platform).count).toBe(CROWD);
  // The last that began is the first that goes on.
  for (const answer of waits.toReversed()) answer(1);
  expect(await Promise.all(first)).toEqual(
    Array.from({ length: CROWD }, (_, index) => `answered ${index + 1}`),
  );
  expect(wentOn).toBe(CROWD);

  const abort = new AbortController();
  const second = begin(abort.signal);
  await suspended(2 * CROWD);
  abort.abort();
  expect(new Set(await Promise.all(second))).toEqual(new Set(["ABORTED"]));
  expect(liveInstances(kernel.platform).count).toBe(0);
  // What comes too late wakes nobody.
  for (const answer of waits) answer(1);
  const third = begin();
  await suspended(3 * CROWD);
  expect(wentOn).toBe(CROWD);
  expect((await kernel.shutdown()).errors).toEqual([]);
  expect(new Set(await Promise.all(third))).toEqual(new Set(["MODULE_NOT_RUNNING"]));
  expect(liveInstances(kernel.platform).count).toBe(0);
});
