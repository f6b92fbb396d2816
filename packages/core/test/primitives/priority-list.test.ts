import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PriorityList } from "../../src/primitives/priority-list.ts";

describe("PriorityList", () => {
  test("puts higher priorities first, and equal ones in the order they came", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 40 }), (priorities) => {
        const list = new PriorityList<number>();
        for (const [index, priority] of priorities.entries()) list.add(index, priority);
        const wanted = [...priorities.keys()].toSorted(
          (a, b) => (priorities[b] as number) - (priorities[a] as number) || a - b,
        );
        expect(list.values).toEqual(wanted);
        expect(list.size).toBe(priorities.length);
      }),
    );
  });

  test("takes out exactly what was added, in any order of adding and taking out", () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: -2, max: 2 }) }),
      fc.record({ take: fc.nat({ max: 30 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const list = new PriorityList<string>();
        let model: { priority: number; id: number; slot: Disposable }[] = [];
        let id = 0;
        for (const one of steps) {
          if ("add" in one) {
            const slot = list.add(`v${id}`, one.add);
            model.push({ priority: one.add, id: id++, slot });
          } else if (model.length > 0) {
            const victim = model[one.take % model.length] as (typeof model)[number];
            victim.slot[Symbol.dispose]();
            victim.slot[Symbol.dispose]();
            model = model.filter((other) => other !== victim);
          }
          const wanted = model.toSorted((a, b) => b.priority - a.priority || a.id - b.id);
          expect(list.values).toEqual(wanted.map((other) => `v${other.id}`));
        }
      }),
    );
  });

  test("an iteration goes on with what was there when it began", () => {
    const list = new PriorityList<string>();
    const slots = ["a", "b", "c"].map((value) => list.add(value));
    const seen: string[] = [];
    for (const value of list.values) {
      seen.push(value);
      slots[2]?.[Symbol.dispose]();
      list.add("late", 10);
    }
    expect(seen).toEqual(["a", "b", "c"]);
    expect(list.values).toEqual(["late", "late", "late", "a", "b"]);
  });

  test("a value that was added twice leaves once at a time", () => {
    const list = new PriorityList<string>();
    const first = list.add("a");
    list.add("a");
    first[Symbol.dispose]();
    expect(list.values).toEqual(["a"]);
  });

  test("a kept rank gives its place among equals back", () => {
    const list = new PriorityList<string>();
    const rank = list.arrive();
    const old = list.add("old", 0, rank);
    list.add("other");
    old[Symbol.dispose]();
    list.add("new", 0, rank);
    expect(list.values).toEqual(["new", "other"]);
  });

  test("takes infinite priorities and refuses NaN", () => {
    const list = new PriorityList<string>();
    list.add("middle");
    list.add("first", Infinity);
    list.add("last", -Infinity);
    expect(list.values).toEqual(["first", "middle", "last"]);
    expect(() => list.add("x", NaN)).toThrow(RangeError);
  });
});
