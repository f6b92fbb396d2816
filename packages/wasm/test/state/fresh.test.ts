import type { Kernel } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { type AbiProfile, raw, suspending, wasmModule, type WasmModuleOptions } from "../../src/index.ts";
import { failure } from "../support/errors.ts";
import { answer, keelsonGuest, on } from "../support/guests.ts";
import { startGuest } from "../support/kernels.ts";
import { wat } from "../support/wat.ts";

/** Keeps what it was given in every place that a guest has; `grow` and `drop` change what cannot be changed back. */
const KEEPER = `(module
  (memory $m (export "memory") 1 4)
  (memory $hidden 1)
  (data (i32.const 8) "made")
  (data $passive "once")
  (table $t 4 funcref)
  (elem (i32.const 0) $zero)
  (elem $late func $one)
  (elem declare func $one)
  (global $g (mut i32) (i32.const 5))
  (global $wide (mut i64) (i64.const 0))
  (global $f (mut funcref) (ref.null func))
  (global $started (mut i32) (i32.const 0))
  (func $zero (result i32) (i32.const 0))
  (func $one (result i32) (i32.const 1))
  (func $start (global.set $started (i32.const 1)))
  (start $start)
  (func (export "_initialize") (i32.store (i32.const 4) (i32.const 77)))
  (func (export "memory-set") (param i32) (i32.store (i32.const 100) (local.get 0)) (i32.store (i32.const 65532) (local.get 0)) (i32.store8 (i32.const 8) (i32.const 0)))
  (func (export "hidden-set") (param i32) (i32.store $hidden (i32.const 100) (local.get 0)))
  (func (export "global-set") (param i32) (global.set $g (local.get 0)) (global.set $wide (i64.const -1)))
  (func (export "reference-set") (param i32) (global.set $f (ref.func $one)))
  (func (export "table-set") (param i32) (table.set $t (i32.const 0) (ref.func $one)) (table.set $t (i32.const 3) (ref.func $one)))
  (func (export "table-grow") (param i32) (drop (table.grow $t (ref.func $one) (i32.const 4))))
  (func (export "grow") (param i32) (drop (memory.grow $m (i32.const 1))) (i32.store (i32.const 70000) (local.get 0)))
  (func (export "drop") (param i32) (data.drop $passive) (elem.drop $late))
  (func (export "look") (result i32)
    (if (i32.load (i32.const 100)) (then (return (i32.const 1))))
    (if (i32.load $hidden (i32.const 100)) (then (return (i32.const 2))))
    (if (i32.ne (global.get $g) (i32.const 5)) (then (return (i32.const 3))))
    (if (i64.ne (global.get $wide) (i64.const 0)) (then (return (i32.const 4))))
    (if (i32.eqz (ref.is_null (global.get $f))) (then (return (i32.const 5))))
    (if (call_indirect (result i32) (i32.const 0)) (then (return (i32.const 6))))
    (if (i32.eqz (ref.is_null (table.get $t (i32.const 3)))) (then (return (i32.const 7))))
    (if (i32.ne (table.size $t) (i32.const 4)) (then (return (i32.const 8))))
    (if (i32.ne (memory.size $m) (i32.const 1)) (then (return (i32.const 9))))
    (if (i32.load (i32.const 65532)) (then (return (i32.const 10))))
    (if (i32.ne (i32.load8_u (i32.const 8)) (i32.const 109)) (then (return (i32.const 11))))
    ;; what its start and _initialize did is there
    (if (i32.ne (i32.load (i32.const 4)) (i32.const 77)) (then (return (i32.const 12))))
    (if (i32.eqz (global.get $started)) (then (return (i32.const 13))))
    ;; traps when the segment was dropped
    (memory.init $m $passive (i32.const 200) (i32.const 0) (i32.const 4))
    (table.init $t $late (i32.const 2) (i32.const 0) (i32.const 1))
    (i32.const 0)))`;

/** The same without what can be put back only by a new instance: no passive segments, no references in globals, one memory. */
const PLAIN_KEEPER = KEEPER.replace("(memory $hidden 1)", "")
  .replace('(data $passive "once")', "")
  .replace("(elem $late func $one)", "")
  .replace(/\(global \$f [^\n]*\n/, "")
  .replaceAll(/\n[^\n]*(\$hidden|\$f\b|\$passive|\$late)[^\n]*/g, "");

const STORES = [
  "memory-set",
  "hidden-set",
  "global-set",
  "reference-set",
  "table-set",
  "table-grow",
  "grow",
  "drop",
];
const PLAIN_STORES = ["memory-set", "global-set", "table-set", "table-grow", "grow"];

async function start(options: Partial<WasmModuleOptions>): Promise<Kernel> {
  return startGuest({ source: wat(KEEPER), state: "fresh", pool: { max: 1 }, ...options });
}

/** Lets the event loop turn, in which a guest is renewed. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

const guests: readonly (readonly [
  name: string,
  source: Uint8Array<ArrayBuffer>,
  stores: readonly string[],
])[] = [
  ["a guest that has everything", wat(KEEPER), STORES],
  ["a guest that can be put back", wat(PLAIN_KEEPER), PLAIN_STORES],
];

describe.each(guests)("%s leaves nothing for the next call", (_, source, stores) => {
  test.each([
    ["metered", {}],
    ["metered for time alone", { metering: "deadline" }],
    ["trusted", { metering: "off" }],
    ["sliced", { scheduling: "sliced" }],
  ] satisfies readonly (readonly [string, Partial<WasmModuleOptions>])[])("%s", async (_, options) => {
    const kernel = await start({ source, ...options });
    for (const wait of [() => undefined, turn]) {
      for (const store of stores) {
        await kernel.invoke("guest", store, 4_321);
        await wait();
        expect(await kernel.invoke("guest", "look"), store).toBe(0);
        await wait();
      }
    }
    // one instance served them all, as far as the pool is concerned
    expect(kernel.metrics.text()).toContain('keelson_pool_recycle_total{module="guest",reason="trap"} 0');
  });
});

describe("a guest is put back, and not made again,", () => {
  /** How many instances five calls took, of a module with `extra` in it. */
  async function instances(extra: string, options: Partial<WasmModuleOptions> = {}): Promise<number> {
    let made = 0;
    const imports = { host: { made: () => void made++ } };
    const text = `(module (import "host" "made" (func $made)) (memory (export "m") 1 2) (table $t 2 funcref)
      (global $g (mut i32) (i32.const 0)) (func $start (call $made)) (start $start)
      (func (export "f") (result i32)
        (global.set $g (i32.add (global.get $g) (i32.const 1)))
        (i32.store (i32.const 4096) (i32.add (i32.load (i32.const 4096)) (i32.const 1)))
        (i32.add (global.get $g) (i32.load (i32.const 4096)))) ${extra})`;
    const kernel = await start({ source: wat(text), imports, ...options });
    for (let call = 0; call < 5; call++) expect(await kernel.invoke("guest", "f")).toBe(2);
    return made;
  }

  test("and uses as much fuel at each call, also where a large function's first call is paid for", async () => {
    const large = `(func $large (export "g") (result i32) ${"(nop)".repeat(4000)} (i32.const 7))`;
    const used: (number | undefined)[] = [];
    // the start calls one of two large functions: that one was paid for before the first call
    for (const called of ["", "(call $large) drop"]) {
      const text = `(module ${large} (memory 1) (func $start ${called}) (start $start)
        (func $other (param i32) (br_if 0 (local.get 0)) ${"(nop)".repeat(4000)})
        (func (export "f") (result i32) (call $other (i32.const 1)) (call $large)))`;
      const kernel = await start({ source: wat(text) });
      for (let call = 0; call < 3; call++) {
        const { usage } = await kernel.measure("guest", "f");
        used.push(usage?.fuel);
      }
    }
    expect(new Set(used.slice(0, 3)).size).toBe(1);
    expect(new Set(used.slice(3)).size).toBe(1);
    expect(used[0]).toBeGreaterThan(used[3] as number);
  });

  test.each([
    ["memory, table and numbers", ""],
    ["data and elements", '(data (i32.const 0) "a") (elem (i32.const 0) $start)'],
    ["numbers of all kinds", "(global (mut i64) (i64.const -1)) (global (mut f64) (f64.const 1.5))"],
    ["constants", "(global funcref (ref.func $start)) (global f32 (f32.const 1))"],
    ["a second memory", '(memory (export "n") 1) (data (i32.const 0) "a")'],
  ])("when it has %s", async (_, extra) => {
    expect(await instances(extra)).toBe(1);
    expect(await instances(extra, { metering: "off" })).toBe(1);
    expect(await instances(extra, { scheduling: "sliced" })).toBe(1);
  });

  test.each([
    ["a reference that changes", "(global (mut funcref) (ref.null func))"],
    ["data that it may drop", '(data "a")'],
    ["elements that it may drop", "(elem func $start)"],
    ["a table of the host's values", "(table 1 externref)"],
    ["a shared memory", '(memory (export "n") 1 1 shared)'],
    ["a memory that it shows nobody", "(memory 1)"],
    ["a number that is none", "(global (mut f64) (f64.const nan:0x4))"],
    ["more memory than is worth it", '(memory (export "n") 300)'],
  ])("but not when it has %s", async (_, extra) => {
    expect(await instances(extra)).toBeGreaterThan(4);
  });

  test("but not when its host keeps something for each instance, or positions are to be told", async () => {
    let made = 0;
    const imports = () => ({ host: { made: () => void made++ } });
    await instances("", { imports });
    expect(made).toBeGreaterThan(4);
    expect(await instances("", { offsets: true })).toBeGreaterThan(4);
  });

  test("and what was added for it is no method", async () => {
    const kernel = await start({ source: wat(PLAIN_KEEPER) });
    const error = await failure("UNKNOWN_METHOD", () => kernel.invoke("guest", "nothing"));
    expect(error.hint).not.toMatch(/keelson/i);
  });
});

test("a guest that keeps its state does find it again", async () => {
  const kernel = await start({ state: "keep" });
  await kernel.invoke("guest", "global-set", 1);
  expect(await kernel.invoke("guest", "look")).toBe(3);
});

test("what the host keeps for an instance is fresh with it", async () => {
  const text = `(module (import "host" "count" (func $count (result i32))) (func (export "count") (result i32) (call $count)))`;
  const imports = () => {
    let count = 0;
    return { host: { count: () => ++count } };
  };
  const kernel = await start({ source: wat(text), imports });
  for (let round = 0; round < 5; round++) expect(await kernel.invoke("guest", "count")).toBe(1);
});

test("a profile's buffers and names in the guest are made anew", async () => {
  const echo = on("e", answer(0, "(local.get $kind)", "(local.get $ptr)", "(local.get $len)"));
  const kernel = await start({ source: wat(keelsonGuest(echo)), abi: "keelson" });
  for (let round = 0; round < 20; round++) {
    const text = `tenant ${round} `.repeat(round * 50);
    expect(await kernel.invoke("guest", `e${round}`, text)).toBe(text);
  }
});

test("a guest that waits for its host is renewed when it has answered", async () => {
  const text = `(module (import "host" "wait" (func $wait)) (global $g (mut i32) (i32.const 0))
    (func (export "next") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (call $wait) (global.get $g)))`;
  const kernel = await start({ source: wat(text), imports: { host: { wait: suspending(() => turn()) } } });
  const calls = Array.from({ length: 5 }, () => kernel.invoke("guest", "next"));
  expect(await Promise.all(calls)).toEqual([1, 1, 1, 1, 1]);
});

test("a guest that trapped or was stopped is discarded, and the next is fresh", async () => {
  const text = `(module (global $g (mut i32) (i32.const 0)) (func (export "boom") (global.set $g (i32.const 1)) unreachable)
    (func (export "spin") (global.set $g (i32.const 1)) (loop br 0)) (func (export "look") (result i32) (global.get $g)))`;
  const kernel = await start({ source: wat(text), limits: { cpuMs: 10 } });
  await failure("WASM_TRAP", () => kernel.invoke("guest", "boom"));
  expect(await kernel.invoke("guest", "look")).toBe(0);
  await failure("DEADLINE_EXCEEDED", () => kernel.invoke("guest", "spin"));
  expect(await kernel.invoke("guest", "look")).toBe(0);
});

test("what a profile does to a guest that is put back is held to its fuel, as at its start", async () => {
  const text = `(module (global $g (mut i32) (i32.const 0)) (func (export "spin") (loop br 0))
    (func (export "next") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g)))`;
  let bound = 0;
  const abi: AbiProfile = {
    ...raw,
    name: "own",
    bind(guest) {
      if (++bound === 2) (guest.exports["spin"] as () => void)();
      return raw.bind(guest);
    },
  };
  const kernel = await start({ source: wat(text), abi, limits: { fuel: 100_000 } });
  for (let round = 0; round < 2; round++) {
    expect(await kernel.invoke("guest", "next")).toBe(1);
    await turn();
  }
  expect(bound).toBeGreaterThan(2);
  const used = Number(/^keelson_guest_fuel_total.* (\d+)$/m.exec(kernel.metrics.text())?.[1]);
  expect(used).toBeGreaterThan(100_000);
  expect(used).toBeLessThan(200_000);
});

test("an instance more at a time is all it takes: the cap on live instances holds", async () => {
  const kernel = await start({ limits: { instances: 1 } });
  for (let round = 0; round < 20; round++) {
    await kernel.invoke("guest", "grow", 1);
    if (round % 2 === 0) await turn();
  }
  expect(await kernel.invoke("guest", "look")).toBe(0);
});

test("a state that is no state is refused", () => {
  expect(() => wasmModule({ id: "guest", source: wat(KEEPER), state: "clean" as never })).toThrow(
    expect.objectContaining({ code: "INVALID_OPTIONS" }),
  );
});
