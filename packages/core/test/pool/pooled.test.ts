import {
  type Call,
  createKernel,
  type Instance,
  KeelsonError,
  pooled,
  type PoolOptions,
  type Value,
} from "@keelson/core";
import { createTestPlatform, settle } from "@keelson/core/testing";
import { describe, expect, test } from "vitest";
import { createContext, type TestContext } from "./context.ts";
import { createCall } from "./subjects.ts";
import { rejectionCode, thrown, thrownCode } from "../support/errors.ts";

type Handler = (call: Call, instance: TestInstance) => Value | Promise<Value>;

interface TestInstance extends Instance {
  readonly id: number;
  dead: boolean;
  disposed: boolean;
  memoryBytes: number;
}

function setUp(options: PoolOptions, methods: Record<string, Handler>, later = false) {
  const platform = createTestPlatform();
  const context: TestContext = createContext(platform);
  const instances: TestInstance[] = [];
  const events: string[] = [];
  const state: { failure: Error | undefined } = { failure: undefined };
  const instantiate = (): Instance => {
    if (state.failure !== undefined) throw state.failure;
    const instance: TestInstance = {
      id: instances.length + 1,
      dead: false,
      disposed: false,
      memoryBytes: 0,
      call: (call) => (methods[call.method] as Handler)(call, instance),
      async *stream(call) {
        for (let count = 0; count < (call.payload as number); count++) {
          if (call.method === "trap") {
            instance.dead = true;
            throw new KeelsonError("WASM_TRAP", "trapped");
          }
          yield count;
        }
      },
      [Symbol.dispose]() {
        instance.disposed = true;
      },
    };
    instances.push(instance);
    events.push(`instantiate ${instance.id}`);
    return instance;
  };
  const source = {
    prepare: () => void events.push("prepare"),
    instantiate: later ? async () => instantiate() : instantiate,
  };
  const module = pooled(source, options);
  const start = async (): Promise<void> => {
    await module.init?.(context);
    await module.start?.(context);
  };
  const call = (method: string, rest: Partial<Call> & { controller?: AbortController } = {}) =>
    module.call?.(createCall({ method, ...rest }));
  const stream = (method: string, payload: Value) =>
    module.stream?.(createCall({ method, payload })) as AsyncGenerator<Value>;
  const inUse = (): number =>
    Number(/^keelson_pool_in_use (\d+)$/m.exec(context.metrics.text())?.[1] ?? Number.NaN);
  return { clock: platform.clock, context, module, instances, events, state, start, call, stream, inUse };
}

test("init prepares once, start warms min instances, stop disposes of them", async () => {
  const { start, events, instances, module, context, clock } = setUp({ min: 2 }, {});
  await start();
  expect(events).toEqual(["prepare", "instantiate 1", "instantiate 2"]);
  await module.stop?.(context);
  expect(instances.every((instance) => instance.disposed)).toBe(true);
  expect(clock.pending).toBe(0);
});

test("a call on a free instance answers at once when the instance does", async () => {
  const { start, call, inUse, context } = setUp(
    { min: 1, max: 1 },
    { add: (c) => (c.payload as number) + 1 },
  );
  await start();
  expect(call("add", { payload: 1 })).toBe(2);
  expect(call("add", { payload: 2 })).toBe(3);
  expect(inUse()).toBe(0);
  await context.undo();
});

test("a call on a cold pool answers at once too, if instance and answer do", async () => {
  const { start, call, context, instances } = setUp({}, { id: (_, instance) => instance.id });
  await start();
  expect(instances.length).toBe(0);
  expect(call("id")).toBe(1);
  await context.undo();
});

test("a call waits for an instance that comes later, and makes one only", async () => {
  const { start, call, context, instances } = setUp({ max: 4 }, { id: (_, instance) => instance.id }, true);
  await start();
  const answer = call("id");
  expect(answer).toBeInstanceOf(Promise);
  expect(await answer).toBe(1);
  expect(call("id")).toBe(1);
  expect(instances.length).toBe(1);
  await context.undo();
});

test("a call waits for the instance that is being made to keep min warm, and makes no other", async () => {
  const methods: Record<string, Handler> = {
    id: (_, instance) => instance.id,
    die: (_, instance) => {
      instance.dead = true;
      return "dead";
    },
  };
  const { start, call, context, instances } = setUp({ min: 1, max: 4 }, methods, true);
  await start();
  expect(call("die")).toBe("dead");
  expect(await call("id")).toBe(2);
  expect(instances.length).toBe(2);
  await context.undo();
});

test("an asynchronous call holds its instance until it ends", async () => {
  const end = Promise.withResolvers<Value>();
  const { start, call, inUse, context } = setUp({ max: 1 }, { slow: () => end.promise, fast: () => "fast" });
  await start();
  const slow = call("slow");
  const fast = call("fast");
  expect(inUse()).toBe(1);
  end.resolve("slow");
  expect(await slow).toBe("slow");
  expect(await fast).toBe("fast");
  expect(inUse()).toBe(0);
  await context.undo();
});

test("an error of the guest's own leaves the instance in use; a dead instance never answers again", async () => {
  const { start, call, context, instances } = setUp(
    { max: 1 },
    {
      id: (_, instance) => instance.id,
      fail: () => {
        throw new KeelsonError("GUEST_ERROR", "no");
      },
      failLater: async () => {
        throw new KeelsonError("GUEST_ERROR", "no");
      },
      trap: (_, instance) => {
        instance.dead = true;
        throw new KeelsonError("WASM_TRAP", "trapped");
      },
      trapLater: async (_, instance) => {
        instance.dead = true;
        throw new KeelsonError("FUEL_EXHAUSTED", "empty");
      },
      dieQuietly: (_, instance) => {
        instance.dead = true;
        return "last words";
      },
    },
  );
  await start();
  expect(() => call("fail")).toThrow(expect.objectContaining({ code: "GUEST_ERROR" }));
  await expect(call("failLater")).rejects.toMatchObject({ code: "GUEST_ERROR" });
  expect(call("id")).toBe(1);
  expect(() => call("trap")).toThrow(expect.objectContaining({ code: "WASM_TRAP" }));
  expect(call("id")).toBe(2);
  await expect(call("trapLater")).rejects.toMatchObject({ code: "FUEL_EXHAUSTED" });
  expect(call("id")).toBe(3);
  expect(call("dieQuietly")).toBe("last words");
  expect(call("id")).toBe(4);
  expect(instances.map((instance) => instance.disposed)).toEqual([true, true, true, false]);
  expect(context.metrics.text()).toContain('keelson_pool_recycle_total{reason="trap"} 3');
  await context.undo();
});

describe("after a call that ended its instance", () => {
  const methods: Record<string, Handler> = {
    trap: (_, instance) => {
      instance.dead = true;
      throw new KeelsonError("WASM_TRAP", "trapped");
    },
    trapLater: async (_, instance) => {
      instance.dead = true;
      throw new KeelsonError("WASM_TRAP", "trapped");
    },
    id: (_, instance) => instance.id,
  };

  test.each(["trap", "trapLater"])(
    "the caller has its error before another is made, and everything is counted by then (%s)",
    async (method) => {
      const { start, call, instances, context, inUse } = setUp({ min: 1, max: 1 }, methods);
      await start();
      const invoke = async () => call(method);
      const throughAnother = async () => invoke();
      await expect(
        throughAnother().catch((error: unknown) => {
          expect(instances.map((instance) => instance.disposed)).toEqual([true]);
          expect(inUse()).toBe(0);
          const text = context.metrics.text();
          expect(text).toContain("keelson_pool_size 0");
          expect(text).toContain('keelson_pool_recycle_total{reason="trap"} 1');
          throw error;
        }),
      ).rejects.toMatchObject({ code: "WASM_TRAP" });
      await settle();
      expect(instances.map((instance) => instance.disposed)).toEqual([true, false]);
      expect(call("id")).toBe(2);
      await context.undo();
    },
  );

  test("whoever waits for an instance gets one at once", async () => {
    let end = (): void => {};
    const held = new Promise<void>((done) => (end = done));
    const { start, call, instances, context } = setUp(
      { min: 1, max: 1 },
      {
        ...methods,
        trapThen: (_, instance) => {
          instance.dead = true;
          return held.then(() => {
            throw new KeelsonError("WASM_TRAP", "trapped");
          });
        },
      },
    );
    await start();
    const failing = call("trapThen");
    const waiting = call("id");
    end();
    await expect(failing).rejects.toMatchObject({ code: "WASM_TRAP" });
    expect(instances).toHaveLength(2);
    expect(await waiting).toBe(2);
    await context.undo();
  });

  test("none is made by a pool that was closed meanwhile", async () => {
    const { start, call, instances, module, context } = setUp({ min: 1, max: 1 }, methods);
    await start();
    expect(() => call("trap")).toThrow(expect.objectContaining({ code: "WASM_TRAP" }));
    await module.stop?.(context);
    await settle();
    expect(instances).toHaveLength(1);
  });
});

test("an instance whose call was cut off is discarded, even if it does not know that it is dead", async () => {
  const { start, call, context } = setUp(
    { max: 1 },
    {
      id: (_, instance) => instance.id,
      cut: () => {
        throw new KeelsonError("OUT_OF_BOUNDS", "outside");
      },
    },
  );
  await start();
  expect(() => call("cut")).toThrow(expect.objectContaining({ code: "OUT_OF_BOUNDS" }));
  expect(call("id")).toBe(2);
  await context.undo();
});

test("a stream holds its instance from the first value asked for to the last", async () => {
  const { start, stream, inUse, context } = setUp({ max: 1 }, {});
  await start();
  const values = stream("count", 2);
  expect(inUse()).toBe(0);
  expect(await values.next()).toEqual({ done: false, value: 0 });
  expect(inUse()).toBe(1);
  await values.next();
  expect((await values.next()).done).toBe(true);
  expect(inUse()).toBe(0);
  await context.undo();
});

test("a stream that is left early gives its instance back; one that traps does not", async () => {
  const { start, stream, inUse, context, instances } = setUp({ max: 1 }, {});
  await start();
  for await (const value of stream("count", 10)) if (value === 1) break;
  expect(inUse()).toBe(0);
  expect(instances.length).toBe(1);
  await expect(stream("trap", 1).next()).rejects.toMatchObject({ code: "WASM_TRAP" });
  expect(inUse()).toBe(0);
  expect(instances[0]?.disposed).toBe(true);
  await context.undo();
});

test("a stream of an instance that cannot stream is UNKNOWN_METHOD and gives it back", async () => {
  const { start, stream, inUse, context, instances } = setUp({ min: 1 }, {});
  await start();
  Object.assign(instances[0] as object, { stream: undefined });
  await expect(stream("count", 1).next()).rejects.toMatchObject({ code: "UNKNOWN_METHOD" });
  expect(inUse()).toBe(0);
  await context.undo();
});

test("a start whose instances cannot be made fails with the source's error, and the scope ends the rest", async () => {
  const { start, state, context, clock } = setUp({ min: 1 }, {});
  state.failure = new Error("no memory");
  await expect(start()).rejects.toBe(state.failure);
  await context.undo();
  expect(clock.pending).toBe(0);
});

test("a call that cannot get an instance in the pool's time is CHECKOUT_TIMEOUT", async () => {
  const end = Promise.withResolvers<Value>();
  const { start, call, clock, context } = setUp({ max: 1, timeoutMs: 50 }, { slow: () => end.promise });
  await start();
  const slow = call("slow");
  const late = expect(call("slow", { deadline: 1_000 })).rejects.toMatchObject({ code: "CHECKOUT_TIMEOUT" });
  await clock.advance(50);
  await late;
  end.resolve("done");
  expect(await slow).toBe("done");
  await context.undo();
});

test("a call whose own deadline is nearer ends with the error of its signal, and leaves the queue", async () => {
  const end = Promise.withResolvers<Value>();
  const methods = { slow: () => end.promise, fast: () => "fast" };
  const { start, call, clock, context } = setUp({ max: 1, timeoutMs: 50 }, methods);
  await start();
  const slow = call("slow");
  const controller = new AbortController();
  const late = call("fast", { deadline: 50, controller });
  await clock.advance(50);
  const reason = new KeelsonError("DEADLINE_EXCEEDED", "too late");
  controller.abort(reason);
  await expect(late).rejects.toBe(reason);
  expect(context.metrics.text()).toContain("keelson_pool_checkout_errors_total 1");
  end.resolve("done");
  await slow;
  expect(call("fast")).toBe("fast");
  await context.undo();
});

test("a call that was given up just as it got its instance does not run", async () => {
  const end = Promise.withResolvers<Value>();
  let ran = 0;
  const { start, call, context, inUse } = setUp({ max: 1 }, { slow: () => end.promise, count: () => ++ran });
  await start();
  const slow = call("slow");
  const controller = new AbortController();
  const late = call("count", { controller });
  // Runs behind the release, and before the waiter learns of it.
  void end.promise.then(() => controller.abort());
  end.resolve("done");
  await expect(late).rejects.toMatchObject({ code: "ABORTED" });
  await slow;
  expect(ran).toBe(0);
  expect(inUse()).toBe(0);
  expect(context.metrics.text()).toContain("keelson_pool_checkout_total 2");
  await context.undo();
});

test("a chain of calls that would wait for its own instance is CALL_CYCLE", async () => {
  const outer = createCall({ method: "outer" });
  const { module, start, context } = setUp(
    { max: 1 },
    {
      outer: async () => module.call?.(createCall({ method: "inner", parent: outer })) as Value,
      inner: () => "never",
    },
  );
  await start();
  await expect(module.call?.(outer)).rejects.toMatchObject({ code: "CALL_CYCLE" });
  await context.undo();
});

test("stop lets calls drain, and ends what does not drain within the time of a stop", async () => {
  const { start, call, module, context, clock, instances } = setUp(
    { max: 2 },
    { never: () => new Promise(() => {}), id: (_, instance) => instance.id },
  );
  await start();
  void call("never");
  const stopped = module.stop?.(context);
  expect(() => call("id")).toThrow(expect.objectContaining({ code: "POOL_CLOSED" }));
  await clock.advance(4_000);
  await stopped;
  expect(instances[0]?.disposed).toBe(true);
  expect(clock.pending).toBe(0);
});

test.each([
  ["sooner", 100],
  ["later, also than by default", 30_000],
])("stop ends what does not drain %s where drainMs says so", async (_what, drainMs) => {
  const { start, call, module, context, clock, instances } = setUp(
    { drainMs },
    { never: () => new Promise(() => {}) },
  );
  await start();
  void call("never");
  const stopped = module.stop?.(context);
  await clock.advance(drainMs - 1);
  expect(instances[0]?.disposed).toBe(false);
  await clock.advance(1);
  await stopped;
  expect(instances[0]?.disposed).toBe(true);
  expect(clock.pending).toBe(0);
});

test("the end of the scope ends at once what the stop had no time to wait for, and the stop with it", async () => {
  const { start, call, module, context, clock, instances } = setUp(
    { drainMs: 30_000 },
    { never: () => new Promise(() => {}) },
  );
  await start();
  void call("never");
  const stopped = module.stop?.(context);
  await clock.advance(5_000);
  expect(instances[0]?.disposed).toBe(false);
  // What the kernel does at STOP_TIMEOUT.
  const undone = context.undo();
  await settle();
  expect(instances[0]?.disposed).toBe(true);
  await undone;
  await stopped;
  expect(clock.pending).toBe(0);
});

test("a module whose calls outlast its stop is STOP_TIMEOUT, keeps none of their instances, and starts again", async () => {
  const platform = createTestPlatform();
  const kernel = createKernel({ platform });
  const live = new Set<Instance>();
  const instantiate = (): Instance => {
    const instance: Instance = {
      dead: false,
      memoryBytes: 0,
      call: ({ method }) => (method === "never" ? new Promise(() => {}) : 1),
      [Symbol.dispose]: () => void live.delete(instance),
    };
    live.add(instance);
    return instance;
  };
  await kernel.register({
    metadata: { id: "guest", name: "guest", version: "1.0.0", kind: "wasm" },
    deadlines: { stopMs: 1_000 },
    create: () => pooled({ instantiate }, { drainMs: 60_000 }),
  });
  await kernel.start("guest");
  const call = rejectionCode(kernel.invoke("guest", "never", 1, { timeoutMs: Infinity }));
  const stopped = rejectionCode(kernel.stop("guest"));
  await platform.clock.advance(1_000);
  expect(await stopped).toBe("STOP_TIMEOUT");
  expect(await call).toBe("ABORTED");
  await settle();
  expect(live.size).toBe(0);
  await kernel.start("guest");
  expect(await kernel.invoke("guest", "now")).toBe(1);
  await kernel.shutdown();
  expect(platform.clock.pending).toBe(0);
});

test("relieve ends what is idle, the largest first, and says how much that was; before the start there is nothing", async () => {
  const { start, call, module, context, instances } = setUp(
    { max: 3 },
    { wait: () => new Promise((resolve) => void release.push(() => resolve(null))) },
  );
  const release: (() => void)[] = [];
  expect(module.relieve?.(Infinity)).toEqual({ instances: 0, bytes: 0 });
  await start();
  const calls = [1, 2, 3].map(() => call("wait"));
  instances.forEach((instance, index) => (instance.memoryBytes = [10, 30, 20][index] as number));
  expect(module.relieve?.(Infinity)).toEqual({ instances: 0, bytes: 0 });
  for (const done of release) done();
  await Promise.all(calls);
  expect(module.relieve?.(25)).toEqual({ instances: 1, bytes: 30 });
  expect(instances.map(({ disposed }) => disposed)).toEqual([false, true, false]);
  expect(module.relieve?.(Infinity)).toEqual({ instances: 2, bytes: 30 });
  await context.undo();
});

test("a call whose instance cannot be made throws the source's error at once, asked once, counted once", async () => {
  const { start, call, state, context } = setUp({ max: 2 }, { id: (_, instance) => instance.id });
  await start();
  state.failure = new Error("no instance");
  expect(thrown(() => call("id"))).toBe(state.failure);
  expect(context.metrics.text()).toContain("keelson_pool_checkout_errors_total 1\n");
  state.failure = undefined;
  expect(call("id")).toBe(1);
  await context.undo();
});

test("a call or stream after the stop is POOL_CLOSED, and makes no instance", async () => {
  const { start, call, stream, module, context, instances } = setUp({ max: 1 }, { id: () => "id" });
  await start();
  await module.stop?.(context);
  expect(thrownCode(() => call("id"))).toBe("POOL_CLOSED");
  expect(await rejectionCode(stream("count", 1).next())).toBe("POOL_CLOSED");
  expect(instances).toHaveLength(0);
});

test("options that do not fit are refused when the module is made", () => {
  expect(() => setUp({ max: 0 }, {})).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
});
