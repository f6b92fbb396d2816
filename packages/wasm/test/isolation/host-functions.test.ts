import { KeelsonError, type Call } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { suspending, wasmModule, type GuestHost, type HostImports, type Isolation } from "../../src/index.ts";
import { rejection } from "../support/errors.ts";
import { wat } from "../support/wat.ts";
import {
  codeOf,
  eventually,
  expectHoldings,
  expectIdle,
  holdings,
  levels,
  open,
  openKernel,
} from "./harness.ts";

const GUEST = wat(`(module
  (import "host" "ask" (func $ask (param i32) (result i32)))
  (import "host" "long" (func $long (param i64) (result i64)))
  (import "host" "pair" (func $pair (param f64 f32) (result f64 i64)))
  (import "host" "LIMIT" (global $limit i32))
  (memory (export "memory") 1)
  (global $calls (mut i32) (i32.const 0))
  (func (export "ask") (param i32) (result i32) (call $ask (local.get 0)))
  (func (export "twice") (param i32) (result i32) (i32.add (call $ask (local.get 0)) (call $ask (i32.add (local.get 0) (i32.const 1)))))
  (func (export "long") (param i64) (result i64) (call $long (local.get 0)))
  (func (export "pair") (param f64 f32) (result f64 i64) (call $pair (local.get 0) (local.get 1)))
  (func (export "limit") (result i32) (global.get $limit))
  (func (export "often") (loop (drop (call $ask (i32.const 0))) br 0))
  (func (export "stubborn") (loop (try (do (drop (call $ask (i32.const 0)))) (catch_all)) br 0))
  (func (export "caught") (param i32) (result i32) (try (result i32) (do (call $ask (local.get 0))) (catch_all (i32.const -1))))
  (func (export "count") (result i32) (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls)))`);

type Ask = (value: number) => unknown;

function importsWith(ask: Ask): WebAssembly.Imports {
  return {
    host: {
      ask: ask as never,
      long: ((value: bigint) => value * 2n) as never,
      pair: ((a: number, b: number) => [a + b, BigInt(Math.trunc(a))]) as never,
      LIMIT: 77,
    },
  };
}

const opened = (isolation: Isolation, imports: HostImports, limits = {}): ReturnType<typeof open> =>
  open(isolation, { source: GUEST, imports, limits });

describe.each(levels)("a guest that calls its host (%s)", (isolation) => {
  test("gets numbers of all kinds as they are, and gives them", async () => {
    const seen: unknown[] = [];
    const { kernel } = await opened(
      isolation,
      importsWith((value) => {
        seen.push(value);
        return value === 5 ? "7" : value - 1;
      }),
    );
    const call = (method: string, payload?: never): Promise<unknown> =>
      kernel.invoke("guest", method, payload);
    expect(await call("ask", -(2 ** 31) as never)).toBe(2 ** 31 - 1);
    // As the engine makes numbers of what is none.
    expect(await call("ask", 5 as never)).toBe(7);
    expect(await call("twice", 10 as never)).toBe(19);
    expect(await call("long", (2n ** 62n) as never)).toBe(-(2n ** 63n));
    expect(await call("pair", [2.5, -0] as never)).toEqual([2.5, 2n]);
    expect(await call("pair", [Number.NaN, 1] as never).catch((error: unknown) => error)).toMatchObject({
      code: "CALL_FAILED",
      cause: expect.any(RangeError) as unknown,
    });
    expect(await call("limit")).toBe(77);
    expect(seen).toEqual([-(2 ** 31), 5, 10, 11]);
  });

  test("fails as its host function does, with what that threw as the cause", async () => {
    const thrown: Record<number, unknown> = {
      1: new TypeError("no such article"),
      2: new KeelsonError("NOT_FOUND", "nothing there", { hint: "look elsewhere", details: { shelf: 3 } }),
      3: "a text",
      4: new WebAssembly.RuntimeError("unreachable"),
      5: new RangeError("Maximum call stack size exceeded"),
      6: undefined,
    };
    const { kernel } = await opened(
      isolation,
      importsWith((value) => {
        throw thrown[value];
      }),
    );
    const found: unknown[] = [];
    for (const value of [1, 2, 3, 4, 5, 6]) {
      const error = await rejection(kernel.invoke("guest", "ask", value));
      const { kind, module, shelf } = (error.details ?? {}) as Record<string, unknown>;
      found.push([error.code, kind, module, shelf, error.hint !== undefined]);
      if (value === 2) expect(error).toBe(thrown[2]);
      else expect(error.cause).toBe(thrown[value]);
      expect(await kernel.invoke("guest", "count")).toBe(1);
    }
    expect(found).toEqual([
      ["CALL_FAILED", "other", "guest", undefined, true],
      ["NOT_FOUND", undefined, undefined, 3, true],
      ["CALL_FAILED", "other", "guest", undefined, true],
      ["WASM_TRAP", "unreachable", "guest", undefined, true],
      ["STACK_EXHAUSTED", "stack", "guest", undefined, true],
      ["CALL_FAILED", "other", "guest", undefined, true],
    ]);
    expect(await kernel.invoke("guest", "caught", 1)).toBe(-1);
    expect(await kernel.invoke("guest", "count")).toBe(2);
  });

  test("fails, whatever its host function throws or answers, and the program and the next call go on", async () => {
    const deaf = (): never => {
      throw new Error("asked in vain");
    };
    const traps = {
      get: deaf,
      has: deaf,
      getPrototypeOf: deaf,
      getOwnPropertyDescriptor: deaf,
      ownKeys: deaf,
    };
    const { proxy: revoked, revoke } = Proxy.revocable({}, {});
    revoke();
    const silent = Object.defineProperty(new WebAssembly.RuntimeError(), "message", { get: deaf });
    const notOurs = Object.assign(new KeelsonError("NOT_FOUND", "changed"), { message: Symbol("no text") });
    const wordless = [new Error(), new WebAssembly.RuntimeError()].map((error) =>
      Object.assign(error, { message: Symbol("no text") }),
    );
    const hostile: unknown[] = [
      new Proxy({}, traps),
      new Proxy(() => {}, traps),
      revoked,
      silent,
      notOurs,
      ...wordless,
    ];
    // oxlint-disable-next-line unicorn/no-thenable
    const thenables = [{ then: deaf }, Object.defineProperty({}, "then", { get: deaf })];
    thenables.push(Object.assign(Promise.resolve(1), { then: deaf }));
    const asks: (() => unknown)[] = [
      ...hostile.map((one) => () => {
        throw one;
      }),
      ...hostile.map((one) => () => Promise.reject(one as Error)),
      ...thenables.map((one) => () => one),
    ];
    const { kernel } = await opened(isolation, importsWith(suspending((at: number) => asks[at]?.())));
    for (const at of asks.keys()) {
      const error = await rejection(kernel.invoke("guest", "ask", at));
      expect([at, error.code]).toEqual([
        at,
        expect.stringMatching(/^(CALL_FAILED|WASM_TRAP|NOT_FOUND|WASM_LINK)$/),
      ]);
      expect(await kernel.invoke("guest", "count")).toBe(1);
    }
  });

  test("gives its host the call in progress, whose time and calls are real", async () => {
    const calls: (Call | undefined)[] = [];
    const imports = (host: GuestHost): WebAssembly.Imports =>
      importsWith((value) => {
        calls.push(host.call);
        const left = (host.call?.deadline ?? 0) - kernel.platform.clock.now();
        return (host.call?.invokeSync("other", "add", [value, Math.ceil(left / 10_000)]) as number) + 1;
      });
    const { kernel } = await opened(isolation, imports);
    await kernel.register({
      metadata: { id: "other", name: "other", version: "1.0.0", kind: "native" },
      create: () => ({
        call: ({ payload, parent }) =>
          ((payload as number[])[0] as number) +
          (parent === undefined ? 100 : ((payload as number[])[1] as number)),
      }),
    });
    await kernel.start("other");
    expect(await kernel.invoke("guest", "ask", 40, { timeoutMs: 10_000 })).toBe(42);
    expect(calls).toEqual([expect.objectContaining({ module: "guest", method: "ask", payload: 40 })]);
  });

  test("is stopped when its slow host function returns past its cpuMs, whose time counts as its own", async () => {
    let asked = 0;
    const imports = importsWith(() => {
      // Of its own time too: what others took of the core meanwhile is not the guest's.
      const [until, ran] = [performance.now() + 20, process.cpuUsage()];
      const ranMs = ({ user, system } = process.cpuUsage(ran)): number => (user + system) / 1_000;
      while (performance.now() < until || ranMs() < 20);
      return ++asked;
    });
    const { kernel } = await opened(isolation, imports, { cpuMs: 50 });
    const error = await rejection(kernel.invoke("guest", "often", undefined, { timeoutMs: 10_000 }));
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { limit: "cpuMs", value: 50 } });
    expect(asked).toBeLessThanOrEqual(3);
    const { kernel: patient } = await opened(isolation, imports);
    const { usage } = await patient.measure("guest", "ask", 1);
    expect(usage?.cpuMs).toBeGreaterThan(19);
  });

  test("is stopped by an abort in its host function, however often it catches", async () => {
    for (const method of ["often", "stubborn"]) {
      const abort = new AbortController();
      let asked = 0;
      const { kernel } = await opened(
        isolation,
        importsWith(() => {
          if (++asked === 3) abort.abort();
          return 0;
        }),
      );
      expect(await codeOf(kernel.invoke("guest", method, undefined, { signal: abort.signal }))).toBe(
        "ABORTED",
      );
      expect(await kernel.invoke("guest", "count")).toBe(1);
      expect(asked).toBe(3);
    }
  });

  test("must not be answered by a promise that nobody announced", async () => {
    const { kernel } = await opened(
      isolation,
      importsWith(() => Promise.resolve(1)),
    );
    expect(await codeOf(kernel.invoke("guest", "ask", 1))).toBe("WASM_LINK");
    await kernel.register(
      wasmModule({ id: "other", source: GUEST, abi: "raw", isolation, imports: importsWith(async () => 1) }),
    );
    expect(await codeOf(kernel.start("other"))).toBe("WASM_LINK");
  });

  test("waits for a host function that was marked, without its running time", async (context) => {
    const { kernel } = await opened(
      isolation,
      importsWith(
        suspending(async (value: number) => {
          await new Promise((resolve) => setTimeout(resolve, 60));
          if (value === 9) throw new TypeError("not this one");
          return value + 1;
        }),
      ),
      { cpuMs: 100 },
    );
    const { supports, reasons } = kernel.platform;
    if (isolation === "inline" && supports["jspi"] !== true) return context.skip(reasons["jspi"]);
    const { value, usage } = await kernel.measure("guest", "twice", 1);
    expect(value).toBe(5);
    expect(usage?.cpuMs).toBeLessThan(100);
    expect((await rejection(kernel.invoke("guest", "ask", 9))).cause).toBeInstanceOf(TypeError);
    expect(await kernel.invoke("guest", "count")).toBe(1);
  });

  test("ends with its call while it waits for its host, and never goes on", async () => {
    const waits: PromiseWithResolvers<number>[] = [];
    const { kernel } = await opened(
      isolation,
      importsWith(
        suspending(() => {
          const wait = Promise.withResolvers<number>();
          waits.push(wait);
          return wait.promise;
        }),
      ),
    );
    // On a busy machine its time may be over before it asks.
    for (let timeoutMs = 40; waits.length === 0; timeoutMs *= 2)
      expect(await rejection(kernel.invoke("guest", "stubborn", undefined, { timeoutMs }))).toMatchObject({
        code: "DEADLINE_EXCEEDED",
        details: { module: "guest", limit: "deadline" },
      });
    expect(waits).toHaveLength(1);
    const abort = new AbortController();
    const call = codeOf(kernel.invoke("guest", "stubborn", undefined, { signal: abort.signal }));
    await eventually(() => waits.length === 2);
    abort.abort();
    expect(await call).toBe("ABORTED");
    const late = codeOf(kernel.invoke("guest", "twice", 1));
    await eventually(() => waits.length === 3);
    for (const { resolve } of waits) resolve(4);
    await eventually(() => waits.length === 4);
    waits[3]?.resolve(5);
    expect(await late).toBe("answered 9");
    expect(waits).toHaveLength(4);
    await expectIdle();
  });

  test("is new to each call with what its host keeps for it", async () => {
    let made = 0;
    const imports = (): WebAssembly.Imports => {
      const own = ++made;
      return importsWith(() => own);
    };
    const { kernel } = await open(isolation, { source: GUEST, imports, state: "fresh" });
    const found = [];
    for (let n = 0; n < 3; n++)
      found.push(await kernel.invoke("guest", "ask", 0), await kernel.invoke("guest", "count"));
    expect(found).toEqual([1, 1, 3, 1, 5, 1]);
  });
});

describe.each(["worker", "process"] as const)("the host of an isolated guest (%s)", (isolation) => {
  test("keeps what cannot leave its thread, and says so", async () => {
    const { kernel } = await openKernel();
    const cases: readonly (readonly [string, string, WebAssembly.Imports])[] = [
      [
        `(import "h" "m" (memory 1)) (func (export "f"))`,
        "UNSUPPORTED",
        { h: { m: new WebAssembly.Memory({ initial: 1, maximum: 1 }) } },
      ],
      [
        `(import "h" "f" (func $f (param externref))) (func (export "f") (call $f (ref.null extern)))`,
        "UNSUPPORTED",
        { h: { f: () => 0 } },
      ],
      [`(import "h" "f" (func $f)) (func (export "f") (call $f))`, "WASM_LINK", { h: { f: 1 } }],
      [`(import "h" "f" (func $f)) (func (export "f") (call $f))`, "MISSING_IMPORT", { h: {} }],
    ];
    for (const [index, [body, code, imports]] of cases.entries()) {
      const id = `guest${index}`;
      await kernel.register(
        wasmModule({ id, source: wat(`(module ${body})`), abi: "raw", isolation, imports }),
      );
      expect([body, await codeOf(kernel.start(id))]).toEqual([body, code]);
    }
  });

  test("has no reach of its memory", async () => {
    const { kernel } = await opened(isolation, (host) => importsWith(() => host.memory?.size));
    const error = await rejection(kernel.invoke("guest", "ask", 1));
    expect(error.code).toBe("UNSUPPORTED");
    expect(error.hint).toContain("inline");
  });

  test("serves the start function, and long messages", async () => {
    const source =
      wat(`(module (import "h" "f" (func $f (param i32) (result i32))) (global $g (mut i32) (i32.const 0))
      (func $s (global.set $g (call $f (i32.const 1)))) (start $s)
      (func (export "f") (result i32) (global.get $g)) (func (export "g") (result i32) (call $f (i32.const 2))))`);
    const text = "x".repeat(100_000);
    const imports = {
      h: {
        f(value: number) {
          if (value === 1) return 5;
          throw new KeelsonError("IO", text);
        },
      },
    };
    const { kernel } = await open(isolation, { source, imports: imports as never });
    expect(await kernel.invoke("guest", "f")).toBe(5);
    expect((await rejection(kernel.invoke("guest", "g"))).message).toBe(text);
  });
});

test("guests that wait for their host are ended when their modules stop", async () => {
  const before = holdings();
  let asked = 0;
  const imports = importsWith(
    suspending(() => {
      asked++;
      return new Promise(() => {});
    }),
  );
  const { kernel } = await openKernel();
  const away = ["worker", "process"] as const;
  for (const isolation of away) {
    const deadlines = { stopMs: 500 };
    await kernel.register(
      wasmModule({ id: isolation, source: GUEST, abi: "raw", isolation, imports, deadlines }),
    );
    await kernel.start(isolation);
  }
  const calls = away.map((id) => codeOf(kernel.invoke(id, "ask", 1)));
  await eventually(() => asked === 2);
  expect(await kernel.shutdown()).toMatchObject({ orphans: [], errors: [] });
  for (const code of await Promise.all(calls))
    expect(["MODULE_NOT_RUNNING", "ABORTED", "KERNEL_CLOSED", "POOL_CLOSED"]).toContain(code);
  await expectHoldings(before);
});

test("guests that call their host all the time are ended when their modules stop, and no thread of theirs waits for ever", async () => {
  const before = holdings();
  for (const later of [false, true]) {
    for (let round = 1; round <= 4; round++) {
      const enough = Promise.withResolvers<void>();
      let asked = 0;
      const ask = (value: number): number => {
        if (++asked === round * 3) enough.resolve();
        return value;
      };
      const imports = importsWith(later ? suspending(async (value: number) => ask(value)) : ask);
      const { kernel } = await openKernel();
      const ends = { deadlines: { stopMs: 150 }, pool: { drainMs: 0 } };
      await kernel.register(
        wasmModule({ id: "guest", source: GUEST, abi: "raw", isolation: "worker", imports, ...ends }),
      );
      await kernel.start("guest");
      const call = codeOf(kernel.invoke("guest", "often"));
      await enough.promise;
      expect(await kernel.shutdown()).toMatchObject({ orphans: [], errors: [] });
      expect(await call).toBe("MODULE_NOT_RUNNING");
    }
  }
  await expectHoldings(before);
});
