import { describe, expect, test } from "vitest";
import { boundaryTopic, runDiscoveredOnce, runOnce } from "../../src/boundary/index.ts";
import { createBus, createBusDoor } from "../../src/bus/index.ts";
import { isKeelsonError, type KeelsonError } from "../../src/contract/errors.ts";
import type { Kernel } from "../../src/contract/kernel.ts";
import { stopOf, usageOf } from "../../src/contract/usage.ts";
import type { ModuleDefinition } from "../../src/contract/module.ts";
import type { Value } from "../../src/contract/value.ts";
import { createHooks } from "../../src/hooks/index.ts";
import { createKernel, nativeModule } from "../../src/kernel/index.ts";
import {
  diffCapabilities,
  formatCapabilityDiff,
  parseManifest,
  satisfies,
} from "../../src/manifest/index.ts";
import { createPool, pooled } from "../../src/pool/index.ts";
import { suggest } from "../../src/primitives/suggest.ts";
import { createSupervisor } from "../../src/supervisor/index.ts";
import { createTestPlatform } from "../../src/testing/index.ts";
import { rejectionCode, thrownCode } from "../support/errors.ts";
import { echo, testKernel } from "./harness.ts";

/** Nothing can be asked of it, and nothing about it, without an error. */
function angry(): object {
  const refuse = (): never => {
    throw new Error("do not touch");
  };
  return new Proxy({}, { get: refuse, has: refuse, getPrototypeOf: refuse, ownKeys: refuse });
}

/** What has no text: each of them throws when it is put into one. */
const unprintable: readonly unknown[] = [Object.create(null), Symbol("s"), { toString: 5 }];

/** What is no object, and yet given where one belongs. */
const noObjects: readonly unknown[] = [null, 5, "x", true];

function definition(parts: Record<string, unknown>): ModuleDefinition {
  return { ...nativeModule({ id: "a", methods: { echo: ({ payload }) => payload } }), ...parts };
}

async function running(...modules: readonly ModuleDefinition[]): Promise<Kernel> {
  const { kernel } = testKernel();
  for (const module of modules) await kernel.register(module);
  await kernel.start();
  return kernel;
}

describe("what is no definition", () => {
  test("is INVALID_OPTIONS, and leaves nothing registered", async () => {
    const { kernel } = testKernel();
    const restarts = [
      { policy: "sometimes" },
      { policy: Object.create(null) },
      { intensity: { max: -1, withinMs: 1 } },
      { intensity: { max: 1 } },
      { backoff: { factor: 0 } },
      { backoff: { jitter: 2 } },
      { health: { everyMs: 0 } },
      { health: { failures: Symbol("many") } },
    ];
    const parts = [
      ...restarts.map((restart) => ({ restart })),
      ...["depends", "deadlines", "restart", "manifest"].flatMap((key) =>
        noObjects.map((value) => ({ [key]: value })),
      ),
      { manifest: {} },
      { quarantine: { stops: Object.create(null) } },
    ];
    for (const part of parts)
      expect(await rejectionCode(kernel.register(definition(part)))).toBe("INVALID_OPTIONS");
    for (const part of unprintable)
      expect(await rejectionCode(kernel.register(part as never))).toBe("INVALID_OPTIONS");
    expect(kernel.list()).toEqual([]);
  });

  test("has its parts looked at, but nothing is as good as none", async () => {
    const restart = { policy: "always", intensity: null, backoff: null, health: null };
    const kernel = await running(definition({ restart }));
    expect(await kernel.invoke("a", "echo", 1)).toBe(1);
  });

  test("is refused by an error that names the module and the option", async () => {
    const { kernel } = testKernel();
    for (const [part, option] of [
      [{ deadlines: { startMs: NaN } }, "deadlines.startMs"],
      [{ deadlines: { stopMs: "1" } }, "deadlines.stopMs"],
      [{ restart: { backoff: { factor: 0 } } }, "backoff.factor"],
    ] as const) {
      const error: unknown = await kernel.register(definition(part)).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "INVALID_OPTIONS", details: { id: "a", option } });
      expect((error as Error).message).toContain('Module "a": ');
    }
    for (const deadlines of [angry(), { initMs: angry() }] as never[])
      expect(await rejectionCode(kernel.register(definition({ deadlines })))).toBe("INVALID_OPTIONS");
  });

  test("replaces nothing", async () => {
    const kernel = await running(echo("a"));
    for (const part of [{ restart: { intensity: { max: -1, withinMs: 1 } } }, { depends: null }])
      expect(await rejectionCode(kernel.reload("a", definition(part)))).toBe("INVALID_OPTIONS");
    expect(await kernel.invoke("a", "echo", 1)).toEqual({ version: "1.0.0", payload: 1 });
  });
});

test("a deadline that is mistyped, negative or no number is refused, whether the module is open, parked or gone", async () => {
  const calls: readonly unknown[] = [
    { timeoutMs: -1 },
    { timeoutMs: NaN },
    { timeoutMs: -Infinity },
    { timeoutMs: "5" },
    { timeoutMs: null },
    { timeout: 5 },
    { timeoutms: 5 },
    { signal: undefined, timeout: 5 },
    5,
    "5",
    true,
    () => {},
  ];
  const { kernel } = testKernel();
  let seen = 0;
  const inner = nativeModule({
    id: "inner",
    methods: { go: ({ payload }) => (seen++, payload), fail: () => Promise.reject(new Error("own")) },
  });
  const outer = nativeModule({
    id: "outer",
    methods: { pass: (call) => call.invoke("inner", "go", 1, calls[call.payload as number] as never) },
  });
  for (const module of [inner, outer]) await kernel.register(module);
  await kernel.start();
  kernel.bus.respond("ask", (data) => (seen++, data));
  const all = async (): Promise<void> => {
    for (const [index, options] of calls.entries()) {
      const given = options as never;
      expect(await rejectionCode(kernel.invoke("inner", "go", 1, given))).toBe("INVALID_OPTIONS");
      expect(await rejectionCode(kernel.invoke("outer", "pass", index))).toBe("INVALID_OPTIONS");
      expect(await rejectionCode(kernel.measure("inner", "go", 1, given))).toBe("INVALID_OPTIONS");
      expect(await rejectionCode(kernel.bus.request("ask", 1, given))).toBe("INVALID_OPTIONS");
      expect(await rejectionCode(kernel.bus.send("a", 1, given))).toBe("INVALID_OPTIONS");
      expect(await rejectionCode(kernel.stream("inner", "go", 1, given)[Symbol.asyncIterator]().next())).toBe(
        "INVALID_OPTIONS",
      );
    }
  };
  await all();
  // Where it may not pass straight on, it is refused for the same reason.
  await kernel.stop("inner");
  for (const options of calls as never[])
    expect(await rejectionCode(kernel.invoke("inner", "go", 1, options))).toBe("INVALID_OPTIONS");
  expect(seen).toBe(0);
  // What is 0 is over, and what is undefined is not given.
  await kernel.start("inner");
  expect(await rejectionCode(kernel.invoke("inner", "go", 1, { timeoutMs: 0 }))).toBe("DEADLINE_EXCEEDED");
  expect(await kernel.invoke("inner", "go", 1, { timeoutMs: undefined, signal: undefined })).toBe(1);
});

test("limits that are mistyped are refused: pools, queues, checkouts", async () => {
  const source = { create: () => ({}), destroy: () => {} };
  const platform = createTestPlatform();
  for (const options of [{ maximum: 5 }, { maxwaiting: 5 }, { timeout: 5 }] as never[])
    expect(thrownCode(() => createPool(source, options, platform))).toBe("INVALID_OPTIONS");
  await using pool = createPool(source, { max: 1 }, platform);
  for (const options of [{ timeout: 5 }, { timeoutMs: -1 }, 5, "x"] as never[]) {
    expect(await rejectionCode(pool.checkout(options))).toBe("INVALID_OPTIONS");
    await expect(async () => pool.close(options)).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  }
  expect(pool.stats()).toMatchObject({ inUse: 0, waiting: 0 });
  (await pool.checkout({ timeoutMs: undefined, call: undefined } as never)).release();
});

test("a lease is not ended for a reason that there is not, and the counts stay counts", async () => {
  await using pool = createPool({ create: () => ({}), destroy: () => {} }, { max: 1 }, createTestPlatform());
  const lease = await pool.checkout();
  const { recycled } = pool.stats();
  for (const reason of ["crash", null, 5, "__proto__", "toString", {}] as never[])
    expect(thrownCode(() => lease.discard(reason))).toBe("INVALID_OPTIONS");
  expect(pool.stats()).toMatchObject({ inUse: 1, recycled });
  lease.discard(undefined);
  expect(pool.stats().recycled).toEqual({ ...recycled, trap: 1 });
});

test("what cannot be undone is refused by a scope, and fails the start that adds it", async () => {
  const { kernel } = testKernel();
  let undone = 0;
  for (const [index, other] of [undefined, null, 5, "x", {}, { [Symbol.dispose]: 5 }].entries()) {
    const id = `scope-${index}`;
    await kernel.register(
      nativeModule({
        id,
        start: ({ scope }) => {
          scope.defer(() => void undone++);
          expect(thrownCode(() => scope.defer(other as never))).toBe("INVALID_OPTIONS");
          scope.add(other as never);
        },
      }),
    );
    expect(await rejectionCode(kernel.start(id))).toBe("INVALID_OPTIONS");
    expect(undone).toBe(index + 1);
  }
});

test("arguments of other types are KeelsonErrors", async () => {
  const kernel = await running(echo("a"));
  for (const other of [...unprintable, angry()] as never[]) {
    expect(await rejectionCode(kernel.start(other))).toBe("UNKNOWN_MODULE");
    expect(await rejectionCode(kernel.invoke(other, "echo"))).toBe("UNKNOWN_MODULE");
    expect(await rejectionCode(kernel.reconcile(other))).toBe("INVALID_OPTIONS");
    expect(await rejectionCode(kernel.shutdown({ timeoutMs: other }))).toBe("INVALID_OPTIONS");
    expect(thrownCode(() => kernel.phase(other, () => {}))).toBe("INVALID_OPTIONS");
    expect(thrownCode(() => kernel.bus.on("a", other))).toBe("INVALID_OPTIONS");
    expect(thrownCode(() => kernel.hooks.filter("a", other))).toBe("INVALID_OPTIONS");
    expect(thrownCode(() => kernel.metrics.counter(other, { help: "" }))).toBe("INVALID_OPTIONS");
    expect(thrownCode(() => createKernel({ platform: createTestPlatform(), logCapacity: other }))).toBe(
      "INVALID_OPTIONS",
    );
  }
  for (const other of noObjects as readonly never[]) {
    expect(thrownCode(() => createKernel(other))).toBe("INVALID_OPTIONS");
    expect(thrownCode(() => nativeModule(other))).toBe("INVALID_OPTIONS");
  }
  // Nothing is as good as no options.
  expect(await kernel.invoke("a", "echo", 1, null as never)).toEqual({ version: "1.0.0", payload: 1 });
});

test("a signal or a call in the place of a call's options is refused, by a message that does not ask for a signal", async () => {
  const { kernel } = testKernel();
  const { signal } = new AbortController();
  const invokeWith = (options: unknown) => () => kernel.invoke("a", "hi", 1, options as never);
  const caught = (options: unknown): Promise<unknown> =>
    invokeWith(options)().then(
      () => undefined,
      (error: unknown) => error,
    );
  await kernel.register(
    nativeModule({ id: "a", methods: { hi: () => 1, self: (call) => caught(call) as never } }),
  );
  await kernel.start("a");
  for (const error of [
    await caught(signal),
    await caught(Object.create({ retries: 3 })),
    await kernel.invoke("a", "self"),
  ])
    expect(error).toMatchObject({
      code: "INVALID_OPTIONS",
      hint: expect.stringContaining("timeoutMs, signal"),
    });
  for (const options of [
    { signal },
    Object.create({ signal }),
    Object.freeze({ signal, timeoutMs: undefined }),
  ])
    expect(await invokeWith(options)()).toBe(1);
});

test("nothing is suggested where no text is given, or none to choose from", () => {
  for (const other of [undefined, ...noObjects, ...unprintable, [undefined], [5]] as never[]) {
    expect(suggest("word", other)).toBeUndefined();
    expect(suggest(other, ["five"])).toBeUndefined();
  }
  expect(suggest("fvie", [5, "five", undefined] as never)).toBe("five");
});

test("what helps hosts and loaders refuses what has no meaning with INVALID_OPTIONS", () => {
  const others = [undefined, ...noObjects, ...unprintable, [undefined], [5]] as never[];
  for (const other of others) {
    expect(thrownCode(() => diffCapabilities(other, []))).toBe("INVALID_OPTIONS");
    expect(thrownCode(() => diffCapabilities([], other))).toBe("INVALID_OPTIONS");
    expect(thrownCode(() => formatCapabilityDiff(other))).toBe("INVALID_OPTIONS");
    if (typeof other !== "string") {
      expect(thrownCode(() => boundaryTopic(other, "ready"))).toBe("INVALID_OPTIONS");
      expect(thrownCode(() => boundaryTopic("a", other))).toBe("INVALID_OPTIONS");
    }
  }
  expect(thrownCode(() => diffCapabilities([{ name: "a", scope: "b" }] as never, []))).toBe(
    "INVALID_OPTIONS",
  );
});

describe("what is no part of a kernel", () => {
  const platform = createTestPlatform();
  const { clock, random } = platform;
  const info = { pid: 1, command: "a" };

  test("is INVALID_OPTIONS: loaders, what was reclaimed, platforms and their parts, sources, buses", async () => {
    const others = [...noObjects, ...unprintable, {}, []] as never[];
    const hole: unknown[] = [];
    hole.length = 1;
    const loaders = [hole, [null], [{}], [{ kind: "x" }], [{ kind: 5, load: () => {} }]];
    for (const one of [...loaders, {}, null] as never[])
      expect(thrownCode(() => createKernel({ platform, loaders: one }))).toBe("INVALID_OPTIONS");
    const reports = [{ ended: [info] }, { ended: [info], orphans: [null] }, { ended: 5, orphans: [] }];
    for (const reclaimed of [...others, ...reports] as never[])
      expect(thrownCode(() => createKernel({ platform, reclaimed }))).toBe("INVALID_OPTIONS");
    for (const log of noObjects as readonly never[])
      expect(thrownCode(() => createBus({ clock, random, log }))).toBe("INVALID_OPTIONS");
    for (const other of others) {
      expect(thrownCode(() => createKernel({ platform: other }))).toBe("INVALID_OPTIONS");
      expect(thrownCode(() => createBus(other))).toBe("INVALID_OPTIONS");
      expect(thrownCode(() => createHooks(other))).toBe("INVALID_OPTIONS");
      expect(thrownCode(() => createSupervisor(other))).toBe("INVALID_OPTIONS");
      expect(thrownCode(() => createBusDoor(other, { source: "a" }))).toBe("INVALID_OPTIONS");
      expect(thrownCode(() => pooled(other))).toBe("INVALID_OPTIONS");
      expect(thrownCode(() => createPool({ create: () => 1, destroy: () => {} }, {}, other))).toBe(
        "INVALID_OPTIONS",
      );
      expect(await rejectionCode(runOnce(other, { command: "x" }))).toBe("INVALID_OPTIONS");
      for (const config of [other, { modules: 5 }, { modules: [], discovery: other }] as never[])
        expect(await rejectionCode(runDiscoveredOnce(platform, config, "a"))).toBe("INVALID_OPTIONS");
    }
  });

  test("has a time that is a number above 0, and a priority that is one", () => {
    const { kernel } = testKernel();
    for (const priority of [NaN, "1", null, ...unprintable] as never[]) {
      expect(thrownCode(() => kernel.phase("pre-start", () => {}, { priority }))).toBe("INVALID_OPTIONS");
      expect(thrownCode(() => kernel.hooks.filter("a", (x) => x, { priority }))).toBe("INVALID_OPTIONS");
    }
    kernel.phase("pre-start", () => {}, { priority: -Infinity });
    const { metrics } = kernel;
    for (const breaker of [
      { failures: 0 },
      { failures: NaN },
      { withinMs: 0 },
      { coolDownMs: "1" },
      { failure: 5 },
      5,
    ] as never[])
      expect(thrownCode(() => createHooks({ clock, log: platform.log, metrics, breaker }))).toBe(
        "INVALID_OPTIONS",
      );
    for (const logged of [5, "a", {}, null] as never[])
      expect(thrownCode(() => createBus({ clock, random, log: platform.log, logged }))).toBe(
        "INVALID_OPTIONS",
      );
    const source = { create: () => 1, destroy: () => {} };
    for (const other of [5, "x", {}, []] as never[])
      expect(thrownCode(() => createPool(source, {}, { clock, metrics: other }))).toBe("INVALID_OPTIONS");
  });

  test("asks for what can be asked for", async () => {
    const kernel = await running(echo("a"));
    for (const topic of unprintable as never[])
      expect(await rejectionCode(kernel.bus.request(topic, 1))).toBe("INVALID_TOPIC");
    expect(satisfies(5 as never, "*")).toBe(false);
    expect(satisfies(5 as never, "^1.0.0")).toBe(false);
    expect(thrownCode(() => parseManifest({}, null as never))).toBe("INVALID_MANIFEST");
  });
});

test("a send with a signal that is none is refused, and the kernel ends as ever", async () => {
  const kernel = await running(echo("a"));
  using full = kernel.bus.subscribe("jobs", { capacity: 1, overflow: "back-pressure" });
  kernel.bus.publish("jobs", 1);
  for (const signal of [5, {}] as never[])
    expect(await rejectionCode(kernel.bus.send("jobs", 2, { signal }))).toBe("INVALID_OPTIONS");
  expect(full.size).toBe(1);
});

test("a checkout with a signal that is none is refused, and the pool lends all it has", async () => {
  await using pool = createPool({ create: () => ({}), destroy: () => {} }, { max: 1 }, createTestPlatform());
  const lease = await pool.checkout();
  expect(await rejectionCode(pool.checkout({ signal: {} as never }))).toBe("INVALID_OPTIONS");
  expect(pool.stats().waiting).toBe(0);
  lease.release();
  (await pool.checkout({ timeoutMs: 0 })).release();
});

test("what create() answers is a module, or the start says that it is none", async () => {
  const { kernel } = testKernel();
  const answers = [undefined, null, 5, Promise.resolve(undefined)];
  for (const [index, answer] of answers.entries()) {
    const create = (): never => answer as never;
    const metadata = { id: `plain-${index}`, name: "", version: "1.0.0", kind: "native" };
    await kernel.register({ metadata, create });
    await kernel.register(nativeModule({ id: `native-${index}`, create }));
    for (const id of [metadata.id, `native-${index}`]) {
      const error: unknown = await kernel.start(id).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "MODULE_FAILED", details: { id, step: "init" } });
      expect((error as Error).cause).toBeUndefined();
    }
  }
});

describe("what a module throws", () => {
  test("may be a proxy that answers nothing", async () => {
    const { kernel } = testKernel();
    const thrower = (): never => {
      throw angry();
    };
    await kernel.register(nativeModule({ id: "create", create: thrower }));
    await kernel.register(nativeModule({ id: "init", init: async () => thrower() }));
    await kernel.register(nativeModule({ id: "start", start: thrower }));
    for (const id of ["create", "init", "start"])
      expect(await rejectionCode(kernel.start(id))).toBe("MODULE_FAILED");
    await kernel.register(
      nativeModule({ id: "call", methods: { now: thrower, later: async () => thrower() } }),
    );
    await kernel.start("call");
    for (const method of ["now", "later"])
      expect(await rejectionCode(kernel.invoke("call", method))).toBe("CALL_FAILED");
    expect(kernel.list().find(({ metadata }) => metadata.id === "call")?.inFlight).toBe(0);
  });
});

describe("what says that it is an error of Keelson's", () => {
  const BRAND = Symbol.for("keelson.error");
  const refuse = (): never => {
    throw new Error("do not touch");
  };
  const liars: readonly object[] = [
    { [BRAND]: true },
    { [BRAND]: true, code: 5 },
    Object.defineProperty({ [BRAND]: true, code: "ABORTED" }, "details", { get: refuse }),
    Object.defineProperty({ [BRAND]: true }, "code", { get: refuse }),
    Object.defineProperty({}, BRAND, { get: refuse }),
  ];
  const hostileDetails = { [BRAND]: true, code: "ABORTED", message: "x", details: angry() };

  test("and cannot be looked at is none: its call fails with CALL_FAILED, at once or later", async () => {
    const { kernel } = testKernel();
    const methods = {
      now: ({ payload }: { payload: Value }): Value => {
        throw liars[payload as number];
      },
      later: ({ payload }: { payload: Value }): Promise<Value> =>
        Promise.reject(liars[payload as number] as Error),
    };
    await kernel.register(nativeModule({ id: "liar", methods }));
    await kernel.start();
    for (const [index, liar] of liars.entries()) {
      expect(isKeelsonError(liar)).toBe(false);
      for (const method of ["now", "later"])
        expect(await rejectionCode(kernel.invoke("liar", method, index))).toBe("CALL_FAILED");
    }
    expect(kernel.list()[0]?.inFlight).toBe(0);
  });

  test("tells of no stop and no usage when its details cannot be looked at, and ends its call", async () => {
    for (const error of [...liars, hostileDetails]) {
      expect(stopOf(error, "a")).toBeUndefined();
      expect(usageOf(error)).toBeUndefined();
    }
    const kernel = await running(
      nativeModule({
        id: "a",
        methods: { later: () => Promise.reject(hostileDetails as unknown as Error) },
      }),
    );
    expect(await kernel.invoke("a", "later").catch((thrown: unknown) => thrown)).toBe(hostileDetails);
    expect(kernel.list()[0]?.inFlight).toBe(0);
  });
});

test("an unknown id is told with the one that was meant, unless there are very many", async () => {
  const kernel = await running(echo("markdown"), echo("search"));
  const hints = async (): Promise<unknown[]> => {
    const errors = [
      await kernel.invoke("markdwon", "echo").catch((thrown: unknown) => thrown),
      await kernel.start("markdwon").catch((thrown: unknown) => thrown),
      await kernel.reload("markdwon").catch((thrown: unknown) => thrown),
      await kernel.reconcile(["search", "markdwon"]).catch((thrown: unknown) => thrown),
    ];
    return errors.map((error) => (error as KeelsonError).hint);
  };
  expect(await hints()).toEqual(Array(4).fill('did you mean "markdown"?'));
  for (let index = 0; index < 98; index++) await kernel.register(echo(`module-${index}`));
  for (const hint of await hints()) expect(hint).toMatch(/list\(\)/u);
});

describe("an answer with a `then` that lies", () => {
  const liars: Readonly<Record<string, unknown>> = {
    throws: {
      then() {
        throw new Error("then");
      },
    },
    refuses: Object.defineProperty({}, "then", {
      get() {
        throw new Error("then");
      },
    }),
    nests: {
      then(resolve: (value: unknown) => void) {
        resolve(Promise.reject(new Error("later")));
      },
    },
    twice: {
      then(resolve: (value: unknown) => void) {
        resolve(1);
        resolve(2);
        throw new Error("too late");
      },
    },
  };

  test("fails its call with CALL_FAILED, or answers once, and nothing stays in flight", async () => {
    const liar = nativeModule({
      id: "liar",
      methods: { call: ({ payload }) => liars[payload as string] as Value },
    });
    const kernel = await running(liar);
    for (const how of ["throws", "refuses", "nests"]) {
      expect(await rejectionCode(kernel.invoke("liar", "call", how))).toBe("CALL_FAILED");
      expect(kernel.list()[0]?.inFlight).toBe(0);
    }
    expect(await kernel.invoke("liar", "call", "twice")).toBe(1);
    expect(thrownCode(() => kernel.invokeSync("liar", "call", "refuses"))).toBe("CALL_FAILED");
    expect(thrownCode(() => kernel.invokeSync("liar", "call", "throws"))).toBe("WOULD_BLOCK");
    expect(kernel.list()[0]?.inFlight).toBe(0);
  });

  test("fails the start that it answers", async () => {
    const { kernel } = testKernel();
    for (const how of ["throws", "refuses", "nests"])
      for (const step of ["create", "init", "start"]) {
        const id = `${how}-${step}`;
        await kernel.register(nativeModule({ id, [step]: () => liars[how] }));
        expect(await rejectionCode(kernel.start(id)), id).toBe("MODULE_FAILED");
        expect(kernel.state(id), id).toBe("failed");
      }
  });
});

test("a module may tell its end with anything, and its calls fail with KeelsonErrors", async () => {
  for (const told of [undefined, null, 5, { reason: "crash", error: new Error("own") }, { error: angry() }]) {
    let end = (): void => {};
    const kernel = await running(
      nativeModule({
        id: "a",
        methods: { wait: () => new Promise(() => {}) },
        start: (context) => {
          end = () => context.exited(told as never);
        },
      }),
    );
    const waiting = rejectionCode(kernel.invoke("a", "wait"));
    end();
    expect(await waiting).toBe("MODULE_FAILED");
    expect(kernel.state("a")).toBe("failed");
  }
});
