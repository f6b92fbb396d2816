import { expect, test } from "vitest";
import { createHooks, createHooksDoor, type KernelHooks } from "../../src/hooks/index.ts";
import { createMetrics, type MetricsRegistry } from "../../src/metrics/index.ts";
import { createTestPlatform, type FakeClock, type MemoryLog } from "../../src/testing/index.ts";

function bench(): {
  readonly hooks: KernelHooks;
  readonly metrics: MetricsRegistry;
  readonly clock: FakeClock;
  readonly log: MemoryLog;
} {
  const { clock, log } = createTestPlatform();
  const metrics = createMetrics();
  return { clock, log, metrics, hooks: createHooks({ clock, log, metrics }) };
}

test("what a door registers is live only once it is active", async () => {
  const { hooks } = bench();
  const door = createHooksDoor(hooks, { module: "m" });
  door.filter("h", (value) => `${value as string}1`);
  expect(await hooks.applyFilters("h", "")).toBe("");
  door.activate();
  door.activate();
  door.filter("h", (value) => `${value as string}2`);
  expect(await hooks.applyFilters("h", "")).toBe("12");
  door.deactivate();
  door.filter("h", (value) => `${value as string}3`);
  expect(await hooks.applyFilters("h", "")).toBe("");
  door.activate();
  expect(await hooks.applyFilters("h", "")).toBe("123");
});

test("a closed door takes its handlers away and refuses new ones with DOOR_CLOSED", async () => {
  const { hooks } = bench();
  const door = createHooksDoor(hooks, { module: "m" });
  door.activate();
  door.action("h", () => {
    throw new Error("must not be called");
  });
  door.close();
  door.close();
  door.activate();
  expect(door.open).toBe(false);
  await hooks.runActions("h");
  for (const type of ["filter", "action"] as const) {
    expect(() => door[type]("h", () => undefined)).toThrow(expect.objectContaining({ code: "DOOR_CLOSED" }));
  }
});

test("a registration that was disposed does not come back with the next activation", async () => {
  const { hooks } = bench();
  const door = createHooksDoor(hooks, { module: "m" });
  const registration = door.filter("h", () => "wrong");
  registration[Symbol.dispose]();
  door.activate();
  expect(await hooks.applyFilters("h", "right")).toBe("right");
  const live = door.filter("h", () => "live");
  expect(await hooks.applyFilters("h", "right")).toBe("live");
  live[Symbol.dispose]();
  expect(await hooks.applyFilters("h", "right")).toBe("right");
});

test("at a swap the new generation takes the very place of the old one", async () => {
  const { hooks } = bench();
  const old = createHooksDoor(hooks, { module: "m" });
  old.filter("h", (value) => `${value as string}-old`);
  old.activate();
  hooks.filter("h", (value) => `${value as string}-host`);
  const fresh = createHooksDoor(hooks, { module: "m" });
  fresh.filter("h", (value) => `${value as string}-new`);
  old.deactivate();
  fresh.activate();
  old.close();
  expect(await hooks.applyFilters("h", "")).toBe("-new-host");
});

test("a module keeps its place also when it is gone in between, until it is forgotten", async () => {
  const { hooks } = bench();
  const add = (): ReturnType<typeof createHooksDoor> => {
    const door = createHooksDoor(hooks, { module: "m" });
    door.filter("h", (value) => `${value as string}-m`);
    door.activate();
    return door;
  };
  const first = add();
  hooks.filter("h", (value) => `${value as string}-host`);
  first.close();
  const second = add();
  expect(await hooks.applyFilters("h", "")).toBe("-m-host");
  second.close();
  hooks.forget("m");
  add();
  expect(await hooks.applyFilters("h", "")).toBe("-host-m");
});

test("a run that began before a swap still calls the old handler, but not once its door is closed", async () => {
  const { hooks } = bench();
  const gate = Promise.withResolvers<string>();
  hooks.filter("h", () => gate.promise, { priority: 1 });
  const old = createHooksDoor(hooks, { module: "m" });
  old.filter("h", (value) => `${value as string}-old`);
  old.activate();
  const before = hooks.applyFilters("h", "");
  old.deactivate();
  gate.resolve("go");
  expect(await before).toBe("go-old");
  old.activate();
  const closing = hooks.applyFilters("h", "");
  old.close();
  expect(await closing).toBe("go");
});

test("a run that began before a swap calls what the new generation has in the old handler's place", async () => {
  const { hooks } = bench();
  const gate = Promise.withResolvers<string>();
  hooks.filter("h", () => gate.promise, { priority: 1 });
  const doors = ["old", "new"].map((version) => {
    const door = createHooksDoor(hooks, { module: "m" });
    for (const part of ["a", "b"]) door.filter("h", (value) => `${value as string}-${version}-${part}`);
    return door;
  });
  doors[0]?.activate();
  const run = hooks.applyFilters("h", "");
  doors[0]?.deactivate();
  doors[1]?.activate();
  doors[0]?.close();
  gate.resolve("go");
  expect(await run).toBe("go-new-a-new-b");
});

test("a hold lets runs of the module's hooks wait until it ends, and no others", async () => {
  const { hooks } = bench();
  const old = createHooksDoor(hooks, { module: "m" });
  old.filter("h", () => "old");
  old.activate();
  hooks.filter("other", () => "other");
  const hold = hooks.hold("m", 10);
  old.close();
  let done = false;
  const run = hooks.applyFilters("h", "").finally(() => (done = true));
  expect(await hooks.applyFilters("other", "")).toBe("other");
  expect(await hooks.applyFilters("nobody's", "as it was")).toBe("as it was");
  const fresh = createHooksDoor(hooks, { module: "m" });
  fresh.filter("h", () => "new");
  fresh.activate();
  expect(done).toBe(false);
  hold[Symbol.dispose]();
  expect(await run).toBe("new");
});

test("no more runs wait for a module than may; what comes then goes on without it, and that is logged once", async () => {
  const { hooks, log } = bench();
  const old = createHooksDoor(hooks, { module: "m" });
  old.filter("h", () => "old");
  old.activate();
  hooks.filter("h", (value) => `${value as string}!`, { priority: -1 });
  const hold = hooks.hold("m", 2);
  const runs = [hooks.applyFilters("h", "1"), hooks.applyFilters("h", "2")];
  // Its handler is there still, and must not be called any more.
  expect(await hooks.applyFilters("h", "3")).toBe("3!");
  old.close();
  expect(await hooks.applyFilters("h", "4")).toBe("4!");
  hold[Symbol.dispose]();
  expect(await Promise.all(runs)).toEqual(["1!", "2!"]);
  expect(log.records.map(({ level, fields }) => [level, fields])).toEqual([["warn", { module: "m" }]]);
});

test("failures are counted under the module and vanish with its door", async () => {
  const { hooks, metrics } = bench();
  const door = createHooksDoor(hooks, { module: "m" });
  door.action("h", () => Promise.reject(new Error("no")));
  door.activate();
  await hooks.runActions("h");
  expect(metrics.text()).toContain('keelson_hook_failures_total{hook="h",module="m"} 1\n');
  door.close();
  expect(metrics.text()).toBe("# EOF\n");
});

test("a new generation begins with a clean breaker", async () => {
  const { hooks } = bench();
  const old = createHooksDoor(hooks, { module: "m" });
  old.filter("h", () => Promise.reject(new Error("no")));
  old.activate();
  for (let n = 0; n < 6; n++) await hooks.applyFilters("h", "x");
  old.close();
  const fresh = createHooksDoor(hooks, { module: "m" });
  fresh.filter("h", (value) => `${value as string}!`);
  fresh.activate();
  expect(await hooks.applyFilters("h", "x")).toBe("x!");
});

test("handlers of the host's keep their places around those of modules", async () => {
  const { hooks } = bench();
  const door = createHooksDoor(hooks, { module: "m" });
  const add =
    (text: string) =>
    (value: unknown): string =>
      `${value as string}${text}`;
  hooks.filter("h", add("1"));
  door.filter("h", add("2"));
  door.activate();
  hooks.filter("h", add("3"));
  expect(await hooks.applyFilters("h", "")).toBe("123");
});
