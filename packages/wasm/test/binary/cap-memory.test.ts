import { describe, expect, test } from "vitest";
import { capMemory } from "../../src/binary/cap-memory.ts";
import { failure } from "../support/errors.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const PAGE = 65_536;
const grower = (limits: string): Uint8Array<ArrayBuffer> =>
  wat(`(module (memory (export "memory") ${limits})
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "size") (result i32) (memory.size)))`);

describe("the cap on memory", () => {
  test.each(["1", "1 100", "1 65536"])(
    "holds a memory of %s pages: the guest's grow answers -1 past it",
    async (limits) => {
      const { call, instance } = await open({ source: grower(limits), limits: { memory: 5 * PAGE } });
      expect(call("grow", 4)).toBe(1);
      expect(call("grow", 1)).toBe(-1);
      expect(call("size")).toBe(5);
      expect(instance.memoryBytes).toBe(5 * PAGE);
    },
  );

  test("is 64 MiB when nothing is said", async () => {
    const { call } = await open(grower("1"));
    expect(call("grow", 1023)).toBe(1);
    expect(call("grow", 1)).toBe(-1);
  });

  test("leaves a lower maximum of the module's own", async () => {
    const { call } = await open({ source: grower("1 2"), limits: { memory: 5 * PAGE } });
    expect(call("grow", 1)).toBe(1);
    expect(call("grow", 1)).toBe(-1);
  });

  test("rounds down to whole pages", async () => {
    const { call } = await open({ source: grower("1"), limits: { memory: 2 * PAGE - 1 } });
    expect(call("grow", 1)).toBe(-1);
  });

  test("refuses a module whose minimum passes it, before an instance is made", async () => {
    const error = await failure("OUT_OF_MEMORY", () =>
      open({ source: grower("6"), limits: { memory: 5 * PAGE } }),
    );
    expect(error.details).toMatchObject({ minBytes: 6 * PAGE, limitBytes: 5 * PAGE });
    await failure("OUT_OF_MEMORY", () => open({ source: grower("1"), limits: { memory: 0 } }));
  });

  test.each([
    ["each may have an equal share when nothing is metered", "off", [-1, 1, -1, 1]],
    ["they may take it as they need it when metered", "exact", [1, -1, -1, 1]],
  ] as const)("is shared by several memories: %s", async (_, metering, answers) => {
    const { call } = await open({
      metering,
      source: wat(`(module (memory $a 1) (memory $b 1)
        (func (export "a") (param i32) (result i32) (memory.grow $a (local.get 0)))
        (func (export "b") (param i32) (result i32) (memory.grow $b (local.get 0))))`),
      limits: { memory: 6 * PAGE },
    });
    expect([call("a", 3), call("a", 2), call("b", 3), call("b", metering === "off" ? 2 : 1)]).toEqual(
      answers,
    );
  });

  test("changes no byte outside the memory section", () => {
    const original = grower("1");
    const capped = capMemory(original, 5 * PAGE, "test");
    const at = original.findIndex((byte, index) => byte !== capped[index]);
    // The section grew by its maximum, one byte: its size differs first, what follows is the same.
    expect(capped.length).toBe(original.length + 1);
    expect(capped.slice(at + 5)).toEqual(original.slice(at + 4));
    expect(capMemory(wat("(module)"), 0, "test")).toEqual(wat("(module)"));
  });

  test("does not make an invalid memory valid", () => {
    const invalid = [
      [5, 2, 1, 1], // cut off
      [5, 4, 1, 0, 1, 0], // bytes left over
      [5, 3, 1, 2, 1], // shared without a maximum
      [5, 4, 1, 1, 9, 2], // minimum above maximum
    ];
    for (const section of invalid) {
      const bytes = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section]);
      expect(WebAssembly.validate(bytes)).toBe(false);
      let valid = false;
      try {
        valid = WebAssembly.validate(capMemory(bytes, 64 * PAGE, "test"));
      } catch {
        // refused by the reader: just as well
      }
      expect(valid).toBe(false);
    }
  });

  test("on a module given compiled is looked at after each call: past it the instance is discarded", async () => {
    const source = await WebAssembly.compile(grower("1"));
    const { call, instance } = await open({ source, limits: { memory: 5 * PAGE } });
    expect(call("grow", 4)).toBe(1);
    await failure("OUT_OF_MEMORY", () => call("grow", 1));
    expect(instance.dead).toBe(true);
    const two = await WebAssembly.compile(
      wat(`(module (memory (export "memory") 3) (memory (export "more") 3) (func (export "f")))`),
    );
    await failure("OUT_OF_MEMORY", () => open({ source: two, limits: { memory: 5 * PAGE } }));
    const large = await WebAssembly.compile(grower("6"));
    await failure("OUT_OF_MEMORY", () => open({ source: large, limits: { memory: 5 * PAGE } }));
  });
});
