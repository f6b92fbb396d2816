import { createKernel, type Call, type Kernel, type Value } from "@keelson/core";
import { createTestPlatform, type TestPlatform } from "@keelson/core/testing";
import { afterEach, describe, expect, test } from "vitest";
import { suspending, wasmModule, type WasmModuleOptions } from "../../src/index.ts";
import { failure } from "../support/errors.ts";
import { answer, ECHO, gonextGuest, keelsonGuest, on, oxideGuest } from "../support/guests.ts";
import { callOf, open } from "../support/instance.ts";
import { realClock } from "../support/real-clock.ts";
import { wat } from "../support/wat.ts";

const kernels: Kernel[] = [];

afterEach(async () => {
  for (const kernel of kernels.splice(0)) await kernel.shutdown();
});

function suspendingPlatform(): TestPlatform {
  const platform = createTestPlatform();
  return { ...platform, supports: { ...platform.supports, jspi: true } };
}

interface Opened {
  readonly kernel: Kernel;
  readonly platform: TestPlatform;
}

async function start(
  options: Omit<WasmModuleOptions, "source"> & { readonly source: string | Uint8Array<ArrayBuffer> },
  platform: TestPlatform = suspendingPlatform(),
): Promise<Opened> {
  const kernel = createKernel({ platform });
  kernels.push(kernel);
  const source = typeof options.source === "string" ? wat(options.source) : options.source;
  await kernel.register(wasmModule({ id: "guest", ...options, source }));
  await kernel.start("guest");
  return { kernel, platform };
}

/** Waits for the host, then tells it that it went on; `wait-caught` does so whatever the host does. */
const WAITER = `(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (import "host" "went-on" (func $on (param i32)))
  (func (export "wait") (param i32) (result i32) (local $got i32)
    (local.set $got (call $wait (local.get 0)))
    (call $on (local.get $got))
    (local.get $got))
  (func (export "wait-caught") (param i32) (result i32) (local $got i32)
    (try (do (local.set $got (call $wait (local.get 0)))) (catch_all (local.set $got (i32.const -7))))
    (call $on (local.get $got))
    (local.get $got))
  (func (export "spin-after") (param i32) (result i32) (drop (call $wait (local.get 0))) (loop br 0) (i32.const 0))
  (func $deep (export "deep") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (call $wait (i32.const 0)))))
    (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
  (func (export "plain") (result i32) (i32.const 42)))`;

/** A host whose answers come when the test says so. */
class Waits {
  readonly pending: PromiseWithResolvers<number>[] = [];
  readonly wentOn: number[] = [];
  readonly imports = {
    host: {
      wait: suspending((_: number): Promise<number> => {
        const wait = Promise.withResolvers<number>();
        this.pending.push(wait);
        return wait.promise;
      }),
      "went-on": (value: number): void => void this.wentOn.push(value),
    },
  };
}

describe("an asynchronous host function suspends its guest", () => {
  test("which goes on with the answer; calls of other instances end meanwhile", async () => {
    const waits = new Waits();
    const { kernel } = await start({ source: WAITER, abi: "raw", imports: waits.imports });
    const calls = [1, 2, 3].map((one) => kernel.invoke("guest", "wait", one));
    expect(await kernel.invoke("guest", "plain")).toBe(42);
    expect(waits.pending).toHaveLength(3);
    for (const [index, answered] of [
      [1, 20],
      [2, 30],
      [0, 10],
    ] as const) {
      waits.pending[index]?.resolve(answered);
      expect(await calls[index]).toBe(answered);
    }
    expect(waits.wentOn).toEqual([20, 30, 10]);
  });

  test.each(["exact", "deadline", "off"] as const)("metering %s", async (metering) => {
    const wait = suspending(async (value: number) => value * 2);
    const imports = { host: { wait, "went-on": () => {} } };
    const { kernel } = await start({ source: WAITER, abi: "raw", imports, metering });
    for (let round = 0; round < 100; round++) {
      expect(await kernel.invoke("guest", "wait", round)).toBe(round * 2);
    }
  });

  test("also when it answers at once", async () => {
    const imports = { host: { wait: suspending((value: number) => value + 1), "went-on": () => {} } };
    const { kernel } = await start({ source: WAITER, abi: "raw", imports });
    expect(await kernel.invoke("guest", "wait", 1)).toBe(2);
    await failure("WOULD_BLOCK", () => kernel.invokeSync("guest", "plain"));
  });

  test("in each profile, in its allocator as well", async () => {
    const load = `(import "host" "load" (func $load (param i32) (result i32)))`;
    const imports = { host: { load: suspending(async (value: number) => value + 100) } };
    const withLoad = (text: string): string => text.replace("(module", `(module ${load}`);
    const inAlloc = (text: string): string =>
      text.replace(/\(local \$at i32\)/, "(local $at i32) (drop (call $load (i32.const 1)))");
    const store = (at: number): string =>
      `(i32.store8 (i32.const ${at}) (i32.sub (call $load (i32.const 48)) (i32.const 100)))`;
    const profiles: readonly (readonly [string, Value, Value])[] = [
      [
        keelsonGuest(on("e", store(64) + answer(0, 3, 64, 8)) + on("f", answer(1, 3, 64, 8))),
        "text",
        "0t broke",
      ],
      [
        oxideGuest(on("e", `${store(3000)} (return (call $pack (i32.const 3000) (i32.const 1)))`)),
        undefined,
        0,
      ],
      [
        gonextGuest(on("e", `${store(2000)} (return (call $pack (i32.const 64) (i32.const 19)))`)),
        { kind: "filter", value: 1 },
        "changed",
      ],
    ];
    for (const [text, payload, expected] of profiles) {
      const { kernel } = await start({ source: inAlloc(withLoad(text)), imports });
      for (let round = 0; round < 3; round++) {
        expect(await kernel.invoke("guest", "e", payload), text.slice(0, 200)).toEqual(expected);
      }
    }
    const { kernel } = await start({ source: withLoad(keelsonGuest(on("f", answer(1, 3, 64, 8)))), imports });
    await failure("GUEST_ERROR", () => kernel.invoke("guest", "f", new Uint8Array(2_000_000)));
    expect((await failure("UNKNOWN_METHOD", () => kernel.invoke("guest", "nothing"))).message).toContain(
      "nothing",
    );
  });
});

describe("the wait", () => {
  test("is no time of the guest's own, but of the call's", async () => {
    const waits = new Waits();
    const limits = { cpuMs: 50 };
    const { kernel, platform } = await start({ source: WAITER, abi: "raw", imports: waits.imports, limits });
    const call = kernel.invoke("guest", "wait", 1, { timeoutMs: 1_000 });
    await platform.clock.advance(900);
    waits.pending[0]?.resolve(5);
    expect(await call).toBe(5);
  });

  test.each([
    ["wait", "exact"],
    ["wait-caught", "exact"],
    ["wait", "off"],
    ["wait-caught", "off"],
  ] as const)(
    "ends with the call's time, and %s, metering %s, does not go on when its answer comes later",
    async (method, metering) => {
      const waits = new Waits();
      const options = { source: WAITER, abi: "raw", imports: waits.imports, metering };
      const { kernel, platform } = await start(options);
      for (const late of ["resolve", "reject"] as const) {
        const failed = failure("DEADLINE_EXCEEDED", () =>
          kernel.invoke("guest", method, 1, { timeoutMs: 100 }),
        );
        await platform.clock.advance(101);
        await failed;
        const wait = waits.pending.pop();
        wait?.[late](late === "resolve" ? 5 : (new Error("too late") as never));
        await platform.clock.advance(10);
      }
      expect(waits.wentOn).toEqual([]);
      expect(kernel.metrics.text()).toContain('keelson_pool_recycle_total{module="guest",reason="trap"} 2');
      expect(await kernel.invoke("guest", "plain")).toBe(42);
    },
  );

  test("ends with the caller's signal, and with the module", async () => {
    const waits = new Waits();
    const { kernel, platform } = await start({ source: WAITER, abi: "raw", imports: waits.imports });
    const controller = new AbortController();
    const aborted = failure("ABORTED", () =>
      kernel.invoke("guest", "wait-caught", 1, { signal: controller.signal }),
    );
    controller.abort();
    await aborted;
    const stopped = failure("MODULE_NOT_RUNNING", () => kernel.invoke("guest", "wait-caught", 1));
    const stopping = kernel.stop("guest");
    await platform.clock.advance(5_000);
    await Promise.all([stopped, stopping]);
    for (const wait of waits.pending) wait.resolve(1);
    await platform.clock.advance(10);
    expect(waits.wentOn).toEqual([]);
  });
});

describe("an instance that serves call after call", () => {
  const withSignal = (signal: AbortSignal): Call => ({ ...callOf("wait", 1), signal });

  test.each(["exact", "off"] as const)(
    "hears no signal of a call that has ended, and each one of its own, metering %s",
    async (metering) => {
      const waits = new Waits();
      const options = { source: wat(WAITER), abi: "raw", imports: waits.imports, metering };
      const { instance } = await open(options, suspendingPlatform());
      const [first, second] = [new AbortController(), new AbortController()];
      const answered = instance.call(withSignal(first.signal));
      waits.pending[0]?.resolve(1);
      expect(await answered).toBe(1);
      const later = instance.call(withSignal(second.signal));
      first.abort();
      waits.pending[1]?.resolve(2);
      expect(await later).toBe(2);
      // One signal may stand for several calls.
      const again = instance.call(withSignal(second.signal));
      waits.pending[2]?.resolve(3);
      expect(await again).toBe(3);
      const ended = failure("ABORTED", () => instance.call(withSignal(second.signal)));
      second.abort();
      await ended;
      expect(instance.dead).toBe(true);
      waits.pending[3]?.resolve(4);
      instance[Symbol.dispose]();
    },
  );

  test("whose signal had fired before it came to wait is ended then", async () => {
    const waits = new Waits();
    const options = { source: wat(WAITER), abi: "raw", imports: waits.imports };
    const { instance } = await open(options, suspendingPlatform());
    await failure("ABORTED", () => instance.call(withSignal(AbortSignal.abort())));
    expect([instance.dead, waits.wentOn]).toEqual([true, []]);
    instance[Symbol.dispose]();
  });

  test("counts what a call used once, although its guest comes back after its end", async () => {
    const waits = new Waits();
    const { kernel, platform } = await start({ source: WAITER, abi: "raw", imports: waits.imports });
    const used = (): string | undefined => /keelson_guest_fuel_total.*/.exec(kernel.metrics.text())?.[0];
    const failed = failure("DEADLINE_EXCEEDED", () => kernel.invoke("guest", "wait", 1, { timeoutMs: 100 }));
    await platform.clock.advance(101);
    await failed;
    const before = used();
    expect(before).toMatch(/ [1-9]/);
    waits.pending[0]?.resolve(1);
    await platform.clock.advance(10);
    expect(used()).toBe(before);
  });
});

describe("an asynchronous host function that fails", () => {
  test("fails the call with its cause, as one that throws does", async () => {
    const cause = new Error("no luck");
    const imports = { host: { wait: suspending(() => Promise.reject(cause)), "went-on": () => {} } };
    const { kernel } = await start({ source: WAITER, abi: "raw", imports });
    const error = await failure("CALL_FAILED", () => kernel.invoke("guest", "wait", 1));
    expect(error.cause).toBe(cause);
    expect(await kernel.invoke("guest", "wait-caught", 1)).toBe(-7);
    expect(kernel.metrics.text()).toContain('keelson_pool_recycle_total{module="guest",reason="trap"} 1');
  });

  test.each(["exact", "off"] as const)(
    "a guest that traps after its wait is discarded, whatever its profile, metering %s",
    async (metering) => {
      const load = `(import "host" "load" (func $load (param i32) (result i32)))`;
      const imports = { host: { load: suspending(async (value: number) => value) } };
      const trap = "(drop (call $load (i32.const 1))) unreachable";
      const guests: readonly (readonly [string, Value])[] = [
        [keelsonGuest(ECHO + on("t", trap)), "text"],
        [
          oxideGuest(
            on(
              "e",
              `(i32.store8 (i32.const 3000) (i32.const 48)) (return (call $pack (i32.const 3000) (i32.const 1)))`,
            ) + on("t", trap),
          ),
          undefined,
        ],
        [
          gonextGuest(on("e", "(return (call $pack (i32.const 64) (i32.const 19)))") + on("t", trap)),
          { kind: "filter", value: 1 },
        ],
      ];
      for (const [text, payload] of guests) {
        const source = text.replace("(module", `(module ${load}`);
        const { kernel } = await start({ source, imports, metering });
        const expected = await kernel.invoke("guest", "e", payload);
        const error = await failure("WASM_TRAP", () => kernel.invoke("guest", "t", payload));
        expect(error.details).toMatchObject({ kind: "unreachable", module: "guest", method: "t" });
        expect(kernel.metrics.text()).toContain('keelson_pool_recycle_total{module="guest",reason="trap"} 1');
        expect(await kernel.invoke("guest", "e", payload)).toEqual(expected);
      }
    },
  );

  test("a guest that loops after its wait is stopped at its own time", async () => {
    const imports = { host: { wait: suspending(async () => 1), "went-on": () => {} } };
    const { kernel } = await start(
      { source: WAITER, abi: "raw", imports, limits: { cpuMs: 20 } },
      { ...suspendingPlatform(), clock: realClock as never },
    );
    const error = await failure("DEADLINE_EXCEEDED", () => kernel.invoke("guest", "spin-after", 1));
    expect(error.details).toMatchObject({ limit: "cpuMs", value: 20 });
    expect(await kernel.invoke("guest", "plain")).toBe(42);
  });
});

describe("stacks", () => {
  test("are each guest's own: one that waits deep down takes nothing from the others", async () => {
    const waits = new Waits();
    const { kernel } = await start({ source: WAITER, abi: "raw", imports: waits.imports });
    const calls = Array.from({ length: 8 }, () => kernel.invoke("guest", "deep", 2_000));
    expect(waits.pending).toHaveLength(8);
    for (const wait of waits.pending) wait.resolve(1);
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 8 }, () => 2_001));
    await failure("STACK_EXHAUSTED", () => kernel.invoke("guest", "deep", 1_000_000));
  });

  test("are shared by guests inside one another", async () => {
    const text = `(module (import "host" "again" (func $again)) (func (export "go") (call $again)))`;
    let depth = 0;
    const opened = await start({
      source: text,
      abi: "raw",
      pool: { max: 1_000 },
      imports: {
        host: {
          again: suspending(() => {
            depth++;
            return opened.kernel.invoke("guest", "go");
          }),
        },
      },
    });
    await failure("STACK_EXHAUSTED", () => opened.kernel.invoke("guest", "go"));
    expect(depth).toBeGreaterThan(10);
    expect(depth).toBeLessThan(500);
  });
});

describe("what cannot be is refused", () => {
  test("where the platform cannot suspend, at the start", async () => {
    const waits = new Waits();
    const platform = createTestPlatform();
    const lacking = { ...platform, reasons: { jspi: "its engine is old" } };
    const error = await failure("UNSUPPORTED", () =>
      start({ source: WAITER, abi: "raw", imports: waits.imports }, lacking),
    );
    expect(error.message).toContain("host.wait");
    expect(error.hint).toContain("its engine is old");
  });

  test("an async function that was not marked, at the start", async () => {
    const imports = { host: { wait: async () => 1, "went-on": () => {} } };
    const error = await failure("WASM_LINK", () =>
      start({ source: WAITER, abi: "raw", imports: imports as never }),
    );
    expect(error.message).toContain("host.wait");
    expect(error.hint).toContain("suspending");
  });

  test("a promise from a function that was not marked, when it comes", async () => {
    const imports = { host: { wait: () => Promise.reject(new Error("nobody looks")), "went-on": () => {} } };
    const { kernel } = await start({ source: WAITER, abi: "raw", imports: imports as never });
    const error = await failure("WASM_LINK", () => kernel.invoke("guest", "wait", 1));
    expect(error.message).toContain("host.wait");
  });

  test("a second call of an instance in the midst of one", async () => {
    const waits = new Waits();
    const options = { source: wat(WAITER), abi: "raw", imports: waits.imports };
    const { instance } = await open(options, suspendingPlatform());
    const first = instance.call(callOf("wait", 1));
    await failure("WOULD_BLOCK", () => instance.call(callOf("plain")));
    waits.pending[0]?.resolve(3);
    expect(await first).toBe(3);
    expect(await instance.call(callOf("plain"))).toBe(42);
    instance[Symbol.dispose]();
    const error = await failure("WASM_TRAP", () => instance.call(callOf("plain")));
    expect(error.message).toMatch(/ended before/);
  });

  test("an asynchronous host function in a start function", async () => {
    const text = `(module (import "host" "wait" (func $wait)) (func $s (call $wait)) (start $s) (func (export "f")))`;
    const imports = { host: { wait: suspending(async () => {}) } };
    const error = await failure("WASM_LINK", () => start({ source: text, abi: "raw", imports }));
    expect(error.hint).toMatch(/start/);
  });
});
