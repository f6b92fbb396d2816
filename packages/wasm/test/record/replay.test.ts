import { KeelsonError, type Kernel, type Value } from "@keelson/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  parseRecord,
  printRecord,
  recordOf,
  replay,
  suspending,
  type CallRecording,
  type GuestHost,
  type Replayed,
  type WasmModuleOptions,
} from "../../src/index.ts";
import { rejection } from "../support/errors.ts";
import { answer, ECHO as ECHOES, keelsonGuest, on } from "../support/guests.ts";
import { startGuest } from "../support/kernels.ts";
import { realClock } from "../support/real-clock.ts";
import { watGc } from "../meter/wat.ts";
import { wat } from "../support/wat.ts";

const GUEST = wat(`(module
  (import "host" "roll" (func $roll (param i32) (result i32)))
  (import "host" "write" (func $write (param i32)))
  (import "host" "float" (func $float (result f64)))
  (import "host" "wide" (func $wide (param i64) (result i64 i32)))
  (import "host" "fail" (func $fail))
  (import "keelson" "panic" (func $panic (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "no way")
  (global $state (mut i32) (i32.const 0))
  (func $start (global.set $state (call $roll (i32.const 100))))
  (start $start)
  (func (export "state") (result i32) (global.get $state))
  (func (export "count") (result i32) (global.set $state (i32.add (global.get $state) (i32.const 1))) (global.get $state))
  (func (export "sum") (param i32) (result i32) (local i32)
    (loop (local.set 1 (i32.add (local.get 1) (call $roll (local.get 0))))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func (export "read") (param i32) (result i32) (call $write (local.get 0)) (i32.load (local.get 0)))
  (func (export "float") (result f64) (call $float))
  (func (export "wide") (param i64) (result i64 i32) (call $wide (local.get 0)))
  (func (export "fail") (call $fail))
  (func (export "catch") (result i32) (try (result i32) (do (call $fail) (i32.const 1)) (catch_all (i32.const 2))))
  (func (export "panic") (call $panic (i32.const 8) (i32.const 6)))
  (func (export "trap") (i32.store (i32.const 0) (i32.const 7)) (drop (call $roll (i32.const 1))) (unreachable))
  (func (export "late") (local i32) (loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (if (i32.eq (local.get 0) (i32.const 3000000)) (then (unreachable))) (br 0)))
  (func (export "spin") (loop (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) br 0))
  (func (export "spin-host") (loop (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (drop (call $roll (i32.load (i32.const 0)))) (br 0)))
  (func $deep (export "recurse") (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (call $deep) (i32.store (i32.const 4) (i32.const 1)))
  (func (export "bomb") (result i32) (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (memory.size)))`);

/** Guests that go on for ever by throwing, and catch with little left of their slice, or nothing. */
const CATCHES = `(module
  (tag $t)
  (memory (export "memory") 1)
  (type $f (func))
  (table funcref (elem $leaf $late))
  (func $leaf ${"(i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))".repeat(9)} (throw $t))
  (func $late (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 3))))
  (func $deep (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (call $leaf))))
  (func $count (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))))
  (func (export "leaf") (loop (call $count) (try (do (call $leaf)) (catch_all (i32.store (i32.const 16) (i32.load (i32.const 0))))) (br 0)))
  (func (export "deep") (loop (call $count) (try (do (call $deep (i32.and (i32.load (i32.const 0)) (i32.const 63)))) (catch_all (i32.store (i32.const 16) (i32.load (i32.const 0))))) (br 0)))
  (func (export "indirect") (loop (call $count)
    (call_indirect (type $f) (i32.const 1))
    (try (do (call_indirect (type $f) (i32.const 0))) (catch_all (i32.store (i32.const 16) (i32.load (i32.const 0))))) (br 0)))
  (func (export "rethrow") (loop (call $count)
    ${"(try (do ".repeat(60)} (throw $t) ${") (catch_all (i32.store (i32.const 16) (i32.load (i32.const 0))) (rethrow 0)))".repeat(59)}) (catch_all)) (br 0))))`;

/** Host functions that answer differently each time. */
function imports(host: GuestHost): WebAssembly.Imports {
  let rolls = 1_000;
  const functions = {
    roll: (sides: number) => (rolls = (rolls * 75 + 74) % 65_537) % sides,
    write: (at: number) => {
      const bytes = host.memory?.bytes ?? new Uint8Array();
      bytes.set([1, 2, 3, 4], at);
      bytes[at + 40] = 9;
    },
    float: () => -0,
    wide: (value: bigint) => [value * 3n, 5],
    fail: () => {
      throw new KeelsonError("NOT_FOUND", "nothing here");
    },
  };
  return { host: functions as unknown as WebAssembly.Imports[string] };
}

async function open(options: Partial<WasmModuleOptions> = {}): Promise<Kernel> {
  const abi = { ...(await import("../../src/abi/raw.ts")).raw, name: "raw" };
  const profile = { ...abi, imports: withPanic(abi) };
  return startGuest({ abi: profile, source: GUEST, imports, ...options }, { quarantine: false });
}

function withPanic(abi: { imports(host: GuestHost): WebAssembly.Imports }) {
  return (host: GuestHost): WebAssembly.Imports => ({
    ...abi.imports(host),
    keelson: {
      panic: ((pointer: number, length: number) => {
        host.panic ??= new KeelsonError("WASM_TRAP", host.memory?.lossyText(pointer, length) ?? "");
        throw host.panic;
      }) as unknown as WebAssembly.ImportValue,
    },
  });
}

interface Recorded {
  readonly record: CallRecording;
  readonly value: unknown;
  readonly code: string;
}

async function recordedCall(
  kernel: Kernel,
  method: string,
  payload?: never,
  timeoutMs = 30_000,
): Promise<Recorded> {
  try {
    const answer = await kernel.measure("guest", method, payload, { record: true, timeoutMs });
    return { record: recordOf(answer) as CallRecording, value: answer.value, code: "answered" };
  } catch (error) {
    if (!(error instanceof KeelsonError)) throw error;
    return { record: recordOf(error) as CallRecording, value: undefined, code: error.code };
  }
}

/** As a file: what is not plain data would be lost. */
async function again(record: CallRecording, source = GUEST, strict = true): Promise<Replayed> {
  return replay(parseRecord(printRecord(record)), source, { clock: realClock, strict });
}

describe("a recorded call is run again without its host, and ends the same", () => {
  test.each([
    ["state", undefined],
    ["sum", 20],
    ["read", 100],
    ["float", undefined],
    ["wide", 7n],
    ["bomb", undefined],
    ["catch", undefined],
  ])("%s, which answers", async (method, payload) => {
    const { record, value } = await recordedCall(await open(), method, payload as never);
    const found = await again(record);
    expect(found).toMatchObject({ outcome: "answered", equal: true, differences: [] });
    expect(found.value).toEqual(value);
    expect(found.fuel).toBe(record.outcome.fuel);
  });

  test.each([
    ["trap", "WASM_TRAP", undefined],
    ["late", "WASM_TRAP", undefined],
    ["panic", "WASM_TRAP", undefined],
    ["fail", "NOT_FOUND", undefined],
    ["recurse", "STACK_EXHAUSTED", undefined],
    ["spin", "FUEL_EXHAUSTED", { fuel: 100_000 }],
    ["spin-host", "FUEL_EXHAUSTED", { fuel: 100_000 }],
    ["spin", "DEADLINE_EXCEEDED", { cpuMs: 50 }],
    ["spin-host", "DEADLINE_EXCEEDED", { cpuMs: 50 }],
  ])("%s, which ends as %s", async (method, code, limits) => {
    const kernel = await open(limits === undefined ? {} : { limits });
    const recorded = await recordedCall(kernel, method);
    expect(recorded.code).toBe(code);
    const found = await again(recorded.record);
    expect(found).toMatchObject({ outcome: code, equal: true, differences: [] });
    expect(found.fuel).toBe(recorded.record.outcome.fuel);
  });

  test.each(["exact", "deadline"] as const)(
    "objects that do not fit, made by a loop that does much before, metering %s",
    async (metering) => {
      const source = await watGc(
        `(module (type $a (array (mut i32))) (func (export "f") (loop (drop (array.new_default $a (i32.const 100000))) (br 0))))`,
      );
      const kernel = await open({ source, imports: {}, metering });
      const { record, code } = await recordedCall(kernel, "f");
      expect(code).toBe("OUT_OF_MEMORY");
      expect(record.outcome.fuelAtMost).toBeGreaterThan(record.outcome.fuel + 1_000_000);
      expect(await again(record, source)).toMatchObject({ outcome: code, equal: true, differences: [] });
    },
  );

  test.each(["exact", "deadline"] as const)("stopped at its deadline, metering %s", async (metering) => {
    const kernel = await open({ metering });
    for (const method of ["spin", "spin-host"]) {
      const recorded = await recordedCall(kernel, method, undefined, 150);
      expect(recorded.code).toBe("DEADLINE_EXCEEDED");
      expect(await again(recorded.record)).toMatchObject({ outcome: "DEADLINE_EXCEEDED", equal: true });
    }
  });

  test("stopped as it came back from the host, it is stopped there again", async () => {
    let calls = 0;
    const slow = (host: GuestHost): WebAssembly.Imports => {
      const own = imports(host);
      const roll = (): number => {
        if (++calls === 5) for (const end = performance.now() + 30; performance.now() < end;);
        return calls;
      };
      return { host: { ...own["host"], roll: roll as unknown as WebAssembly.ImportValue } };
    };
    const kernel = await open({ imports: slow, limits: { cpuMs: 25 } });
    calls = 0;
    const { record, code } = await recordedCall(kernel, "spin-host");
    expect(code).toBe("DEADLINE_EXCEEDED");
    // one is the start's
    expect(record.hostCalls).toHaveLength(5);
    expect(record.outcome.stoppedAtReturn).toBe(4);
    expect(await again(record)).toMatchObject({ outcome: "DEADLINE_EXCEEDED", equal: true });
  });

  test.each(["exact", "deadline"] as const)(
    "stopped while it threw and caught, however its slices fell, metering %s",
    async (metering) => {
      const source = wat(CATCHES);
      for (const method of ["leaf", "deep", "indirect", "rethrow"]) {
        for (const cpuMs of [11, 13, 17, 23]) {
          const kernel = await open({ source, imports: {}, metering, limits: { cpuMs } });
          const { record, code } = await recordedCall(kernel, method);
          expect(code).toBe("DEADLINE_EXCEEDED");
          expect(await again(record, source)).toMatchObject({ outcome: code, equal: true, differences: [] });
        }
      }
    },
  );

  test("whatever is asked of it", async () => {
    const kernel = await open();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 200 }), async (times) => {
        const { record, value } = await recordedCall(kernel, "sum", times as never);
        const found = await again(record);
        expect(found.value).toBe(value);
        expect(found.equal).toBe(true);
      }),
      { numRuns: 20 },
    );
  });
});

describe("a record", () => {
  test("is of an instance that was never used before, and that serves nobody afterwards", async () => {
    const kernel = await open({ pool: { max: 1 } });
    const first = (await kernel.invoke("guest", "state")) as number;
    expect(await kernel.invoke("guest", "count")).toBe(first + 1);
    expect((await recordedCall(kernel, "count")).value).toBe(first + 1);
    expect((await recordedCall(kernel, "count")).value).toBe(first + 1);
    expect(await kernel.invoke("guest", "count")).toBe(first + 2);
    expect(kernel.metrics.text()).toContain('keelson_pool_size{module="guest"} 1');
  });

  test("is given up when a host function deals in more than numbers; the call goes on", async () => {
    const source = wat(`(module (import "h" "f" (func $f (result externref)))
      (func (export "go") (result i32) (ref.is_null (call $f))))`);
    const kernel = await open({
      source,
      imports: { h: { f: () => ({}) } } as unknown as WebAssembly.Imports,
    });
    expect(await kernel.measure("guest", "go", undefined, { record: true })).toMatchObject({ value: 0 });
    expect((await recordedCall(kernel, "go")).record).toBeUndefined();
  });

  test.each<[string, Partial<WasmModuleOptions>]>([
    ["is not metered", { metering: "off" }],
    [
      "imports a memory",
      {
        source: wat(`(module (import "env" "memory" (memory 1)) (func (export "state")))`),
        imports: () => ({ env: { memory: new WebAssembly.Memory({ initial: 1 }) } }),
      },
    ],
  ])("of a module that %s is UNSUPPORTED", async (_, options) => {
    const kernel = await open(options);
    const error = await rejection(kernel.measure("guest", "state", undefined, { record: true }));
    expect(error.code).toBe("UNSUPPORTED");
    expect(await kernel.invoke("guest", "state")).not.toBe(null);
  });

  test("of a module whose host functions suspend it is UNSUPPORTED", async () => {
    const source = wat(`(module (import "h" "f" (func $f)) (func (export "go") (call $f)))`);
    const kernel = await open({ source, imports: { h: { f: suspending(async () => {}) } } as never });
    const error = await rejection(kernel.measure("guest", "go", undefined, { record: true }));
    expect(error.code).toBe("UNSUPPORTED");
  });

  test("is read back as it was printed, and nothing else is read", async () => {
    const { record } = await recordedCall(await open(), "read", 100 as never);
    const text = printRecord(record);
    expect(printRecord(parseRecord(text))).toBe(text);
    const broken = [
      "",
      "{}",
      "[]",
      "null",
      text.slice(0, -1),
      text.replace('"version":1', '"version":2'),
      text.replace('"kind":"wasm"', '"kind":"native"'),
      text.replace('"at":100', '"at":-1'),
      text.replace('"mode":"exact"', '"mode":"off"'),
    ];
    for (const bad of broken)
      expect(() => parseRecord(bad)).toThrow(expect.objectContaining({ code: "INVALID_RECORD" }));
  });
});

describe("a replay that goes another way is REPLAY_DIVERGED", () => {
  test("also when it would never end", async () => {
    const { record } = await recordedCall(await open(), "state");
    const error = await rejection(again({ ...record, method: "spin" }));
    expect(error.code).toBe("REPLAY_DIVERGED");
    expect(error.message).toContain("FUEL_EXHAUSTED");
  });

  const other = wat(`(module (import "host" "roll" (func $roll (param i32) (result i32)))
    (func (export "sum") (param i32) (result i32) (call $roll (i32.const 3))))`);

  test("another module is refused before it runs, or compared when that is wanted", async () => {
    const { record } = await recordedCall(await open(), "sum", 3 as never);
    const error = await rejection(again(record, other));
    expect(error).toMatchObject({ code: "REPLAY_DIVERGED", details: { method: "sum" } });
    expect(error.message).toContain("another one");
    const found = await again(record, other, false);
    expect(found.equal).toBe(false);
    expect(found.differences.join()).toContain("host call 0 was host.roll(100)");
  });

  test.each<[string, (record: CallRecording) => CallRecording]>([
    [
      "an answer of the host was changed",
      (record) => ({ ...record, hostCalls: record.hostCalls.map((call) => ({ ...call, results: [1] })) }),
    ],
    ["a call of the host is missing", (record) => ({ ...record, hostCalls: record.hostCalls.slice(0, -1) })],
    [
      "a call of the host is too many",
      (record) => ({ ...record, hostCalls: [...record.hostCalls, record.hostCalls[0]!] }),
    ],
    ["the answer was another", (record) => ({ ...record, outcome: { ...record.outcome, value: -1 } })],
    ["it used more fuel", (record) => ({ ...record, outcome: { ...record.outcome, fuel: 1 } })],
    [
      "it left another memory",
      (record) => ({ ...record, outcome: { ...record.outcome, memorySha256: "00" } }),
    ],
    [
      "it ended otherwise",
      (record) => ({ ...record, outcome: { ...record.outcome, code: "WASM_TRAP" as const } }),
    ],
    [
      "a write lies outside its memory",
      (record) => ({
        ...record,
        hostCalls: record.hostCalls.map((call) => ({
          ...call,
          writes: [{ memory: 0, at: 2 ** 40, bytes: Uint8Array.of(1) }],
        })),
      }),
    ],
    [
      "it was counted by another meter",
      (record) => ({ ...record, metering: { ...record.metering, meter: "0" } }),
    ],
  ])("when %s", async (_, change) => {
    const { record } = await recordedCall(await open(), "sum", 3 as never);
    expect((await again(record)).equal).toBe(true);
    const error = await rejection(again(change(record)));
    expect(error.code).toBe("REPLAY_DIVERGED");
    expect((await again(change(record), GUEST, false)).equal).toBe(false);
  });
});

describe("what is recorded of a hostile guest, or a careless caller", () => {
  test("is given up when the guest passes the host more than a record may hold", async () => {
    const params = 1_000;
    const source = wat(`(module (import "host" "note" (func $note (param ${"i64 ".repeat(params)})))
      (func (export "f") (param i32) (loop ${"(i64.const 1)".repeat(params)} (call $note)
        (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))`);
    const kernel = await startGuest({ source, imports: { host: { note: () => {} } } });
    const few = await kernel.measure("guest", "f", 100, { record: true });
    expect((few.record as CallRecording).hostCalls).toHaveLength(100);
    expect((await kernel.measure("guest", "f", 3_000, { record: true })).record).toBeUndefined();
  });

  const ECHO = wat(keelsonGuest(ECHOES));

  test("keeps data that look like a mark of its own", async () => {
    const kernel = await startGuest({ source: ECHO, abi: "keelson" });
    const marks = [{ $number: "NaN" }, { $number: { $number: "5" } }, [{ $number: [1] }], { $number: null }];
    for (const payload of marks) {
      const { record, value } = await kernel.measure("guest", "echo", payload, { record: true });
      expect(value).toEqual(payload);
      const replayed = await again(record as CallRecording, ECHO);
      expect(replayed).toMatchObject({ equal: true, value: payload });
    }
  });

  test("is refused where the payload cannot be read, and no instance is left over", async () => {
    const kernel = await startGuest({ source: ECHO, abi: "keelson", limits: { instances: 2 } });
    const circle: Record<string, Value> = {};
    circle["circle"] = circle;
    const unreadable = {
      get value(): never {
        throw new Error("not for you");
      },
    };
    for (let round = 0; round < 5; round++) {
      for (const payload of [circle, unreadable]) {
        const error = await rejection(kernel.measure("guest", "echo", payload, { record: true }));
        expect(error.code).toBe("INVALID_PAYLOAD");
      }
    }
  });

  test("is left out of an answer that is nested deeper than a record may be, which is answered all the same", async () => {
    const deep = on(
      "d",
      `(memory.fill (i32.const 8192) (i32.const 0x5b) (i32.const 1000))
       (memory.fill (i32.const 9192) (i32.const 0x5d) (i32.const 1000))
       ${answer(0, 2, 8_192, 2_000)}`,
    );
    const source = wat(keelsonGuest(deep));
    const kernel = await startGuest({ source, abi: "keelson", limits: { instances: 2 } });
    for (let round = 0; round < 3; round++) {
      const { value, record } = await kernel.measure("guest", "deep", undefined, { record: true });
      expect(Array.isArray(value)).toBe(true);
      expect(record).toBeUndefined();
    }
  });
});

test("what looks like a record and holds no plain data is INVALID_RECORD, wherever that is", async () => {
  const { record } = await recordedCall(await open(), "sum", 20 as never);
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  let deep: unknown = 1;
  for (let depth = 0; depth < 100_000; depth++) deep = [deep];
  const angry = Object.defineProperty({}, "x", {
    enumerable: true,
    get() {
      throw new Error("do not touch");
    },
  });
  for (const bad of [circle, deep, angry, () => {}, Symbol("s"), NaN])
    for (const place of [
      { payload: bad },
      { outcome: { ...record.outcome, value: bad } },
      { hostCalls: [{ ...record.hostCalls[0], note: bad }] },
    ])
      expect(
        await rejection(replay({ ...record, ...place } as never, GUEST, { clock: realClock })),
      ).toMatchObject({ code: "INVALID_RECORD" });
});

test("a call is replayed whose payload and answer are nested as deep as may be", async () => {
  const source = wat(keelsonGuest(ECHOES));
  const kernel = await startGuest({ source, abi: "keelson" });
  let payload: Value = 1;
  for (let depth = 0; depth < 500; depth++) payload = [payload];
  const record = recordOf(await kernel.measure("guest", "echo", payload, { record: true }));
  const { equal } = await replay(record as CallRecording, source, { clock: realClock });
  expect(equal).toBe(true);
});
