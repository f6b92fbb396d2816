import { expect, test } from "vitest";
import { Outcome } from "../../src/primitives/outcome.ts";
import { PriorityList } from "../../src/primitives/priority-list.ts";
import { UndoScope } from "../../src/primitives/scope.ts";
import { settle } from "../../src/testing/index.ts";

test("a scope disposes of what it holds, asynchronously where that is possible, last first", async () => {
  const scope = new UndoScope(() => {});
  const ended: string[] = [];
  const sync = { [Symbol.dispose]: () => void ended.push("sync") };
  const both = { ...sync, [Symbol.asyncDispose]: async () => void ended.push("async") };
  expect(scope.empty).toBe(true);
  expect([scope.add(sync), scope.add(both)]).toEqual([sync, both]);
  expect(scope.empty).toBe(false);
  expect(await scope.end()).toEqual([]);
  expect(ended).toEqual(["async", "sync"]);
});

test("ending a scope twice gives the same failures, and what comes late is undone at once and told only if it fails", async () => {
  const late: string[] = [];
  const scope = new UndoScope(({ code }) => late.push(code));
  let undone = 0;
  scope.defer(() => {
    undone++;
    throw new Error("no");
  });
  const [first, second] = await Promise.all([scope.end(), scope.end()]);
  expect(first.map(({ code }) => code)).toEqual(["MODULE_FAILED"]);
  expect(second).toBe(first);
  scope.defer(() => void undone++);
  scope.defer(() => Promise.reject(new Error("no")));
  await settle();
  expect([undone, late]).toEqual([2, ["MODULE_FAILED"]]);
});

test("an outcome is what came first", async () => {
  const good = new Outcome();
  good.resolve();
  good.reject(new Error("late"));
  await good.promise;
  const bad = new Outcome();
  const early = bad.promise;
  bad.reject(new Error("first"));
  bad.reject(new Error("second"));
  bad.resolve();
  await expect(early).rejects.toThrow("first");
  await expect(bad.promise).rejects.toThrow("first");
});

test("a place among equals counts among equals alone", () => {
  const list = new PriorityList<string>();
  const first = list.arrive();
  list.add("high", 10);
  list.add("second");
  list.add("first", 0, first);
  expect(list.values).toEqual(["high", "first", "second"]);
});
