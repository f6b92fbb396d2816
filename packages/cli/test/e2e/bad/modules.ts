// Ids, orders and native modules that are wrong.
import { nativeModule, type ErrorCode, type NativeModuleOptions } from "@keelson/core";
import type { BadCase, Ground } from "./case.ts";

const never = (): Promise<never> => new Promise(() => {});
const throwUndefined = (): never => {
  throw undefined;
};

/** Registers a module under the id "bad", then does `then`. */
function withModule(
  options: Partial<NativeModuleOptions>,
  then: (ground: Ground) => unknown,
): (ground: Ground) => Promise<unknown> {
  return async (ground) => {
    await ground.kernel.register(nativeModule({ id: "bad", ...options }));
    return then(ground);
  };
}

const start = ({ kernel }: Ground): unknown => kernel.start("bad");
const startAndStop = async ({ kernel }: Ground): Promise<void> => {
  await kernel.start("bad");
  await kernel.stop("bad");
};
const startAndCall = async ({ kernel }: Ground): Promise<unknown> => {
  await kernel.start("bad");
  return kernel.invoke("bad", "go", null, { timeoutMs: 200 });
};

const unknown: readonly [what: string, run: (ground: Ground) => unknown][] = [
  ["init", ({ kernel }) => kernel.init("nobody")],
  ["start", ({ kernel }) => kernel.start("nobody")],
  ["start beside a known one", ({ kernel }) => kernel.start("witness", "nobody")],
  ["stop", ({ kernel }) => kernel.stop("nobody")],
  ["reload", ({ kernel }) => kernel.reload("nobody")],
  ["unload", ({ kernel }) => kernel.unload("nobody")],
  ["invoke", ({ kernel }) => kernel.invoke("nobody", "x")],
  ["invokeSync", ({ kernel }) => kernel.invokeSync("nobody", "x")],
  ["stream", ({ kernel }) => kernel.stream("nobody", "x")[Symbol.asyncIterator]().next()],
  ["health", ({ kernel }) => kernel.health("nobody")],
  ["reconcile", ({ kernel }) => kernel.reconcile(["witness", "nobody"])],
];

const thrown: readonly [what: string, code: ErrorCode, run: (ground: Ground) => Promise<unknown>][] = [
  ["a create that throws undefined", "MODULE_FAILED", withModule({ create: throwUndefined }, start)],
  ["an init that throws undefined", "MODULE_FAILED", withModule({ init: throwUndefined }, start)],
  ["a start that throws undefined", "MODULE_FAILED", withModule({ start: throwUndefined }, start)],
  [
    "a start that rejects with undefined",
    "MODULE_FAILED",
    withModule({ start: () => Promise.reject(undefined) }, start),
  ],
  ["a stop that throws undefined", "MODULE_FAILED", withModule({ stop: throwUndefined }, startAndStop)],
  [
    "a handler that throws undefined",
    "CALL_FAILED",
    withModule({ methods: { go: throwUndefined } }, startAndCall),
  ],
  [
    "a handler that rejects with undefined",
    "CALL_FAILED",
    withModule({ methods: { go: () => Promise.reject(undefined) } }, startAndCall),
  ],
  [
    "a handler that throws what cannot be printed",
    "CALL_FAILED",
    withModule(
      {
        methods: {
          go: () => {
            throw Object.create(null);
          },
        },
      },
      startAndCall,
    ),
  ],
  ["a create that gives nothing", "MODULE_FAILED", withModule({ create: () => undefined as never }, start)],
  [
    "a handler whose promise refuses to be one",
    "CALL_FAILED",
    withModule(
      {
        methods: {
          go: () =>
            ({
              get then(): never {
                throw undefined;
              },
            }) as never,
        },
      },
      startAndCall,
    ),
  ],
];

const hung: readonly [what: string, code: ErrorCode, run: (ground: Ground) => Promise<unknown>][] = [
  [
    "a create that never settles",
    "INIT_TIMEOUT",
    withModule({ create: never, deadlines: { initMs: 20 } }, start),
  ],
  [
    "an init that never settles",
    "INIT_TIMEOUT",
    withModule({ init: never, deadlines: { initMs: 20 } }, start),
  ],
  [
    "a start that never settles",
    "START_TIMEOUT",
    withModule({ start: never, deadlines: { startMs: 20 } }, start),
  ],
  [
    "a stop that never settles",
    "STOP_TIMEOUT",
    withModule({ stop: never, deadlines: { stopMs: 20 } }, startAndStop),
  ],
  ["a handler that never settles", "DEADLINE_EXCEEDED", withModule({ methods: { go: never } }, startAndCall)],
  [
    "an init that hangs and is stopped",
    "ABORTED",
    withModule({ init: never }, async ({ kernel }) => {
      const started = kernel.start("bad");
      await kernel.stop("bad");
      return started;
    }),
  ],
];

const other: readonly BadCase[] = [
  {
    title: "an id that is taken",
    code: "DUPLICATE_MODULE",
    run: ({ kernel }) => kernel.register(nativeModule({ id: "witness" })),
  },
  {
    title: "an id that is none",
    code: "INVALID_OPTIONS",
    run: ({ kernel }) => kernel.register(nativeModule({ id: "No Id" })),
  },
  {
    title: "an id that is no text",
    code: "INVALID_OPTIONS",
    run: ({ kernel }) => kernel.register(nativeModule({ id: 7 as never })),
  },
  {
    title: "a definition that is undefined",
    code: "INVALID_OPTIONS",
    run: ({ kernel }) => kernel.register(undefined as never),
  },
  {
    title: "a definition that is null",
    code: "INVALID_OPTIONS",
    run: ({ kernel }) => kernel.register(null as never),
  },
  {
    title: "a definition whose metadata is null",
    code: "INVALID_OPTIONS",
    run: ({ kernel }) => kernel.register({ metadata: null, create: () => ({}) } as never),
  },
  {
    title: "a restart policy that is none",
    code: "INVALID_OPTIONS",
    run: withModule({ restart: { policy: "perhaps" as never } }, start),
  },
  {
    title: "a deadline that is no number",
    code: "INVALID_OPTIONS",
    run: withModule({ deadlines: { initMs: "soon" as never } }, start),
  },
  {
    title: "an init of a module that runs",
    code: "ILLEGAL_TRANSITION",
    run: ({ kernel }) => kernel.init("witness"),
  },
  {
    title: "a start of a module that starts",
    code: "ILLEGAL_TRANSITION",
    run: withModule({ start: never }, async ({ kernel }) => {
      kernel.start("bad").catch(() => {});
      return kernel.init("bad");
    }),
  },
  {
    title: "a call of a module that was never started",
    code: "MODULE_NOT_RUNNING",
    run: withModule({}, ({ kernel }) => kernel.invoke("bad", "x")),
  },
  {
    title: "a call of a module that failed",
    code: "MODULE_NOT_RUNNING",
    run: withModule({ start: throwUndefined }, async ({ kernel }) => {
      await kernel.start("bad").catch(() => {});
      return kernel.invoke("bad", "x");
    }),
  },
  {
    title: "a call of a method that does not exist",
    code: "UNKNOWN_METHOD",
    run: ({ kernel }) => kernel.invoke("witness", "nothing"),
  },
  { title: "a call of a module that takes none", code: "UNKNOWN_METHOD", run: withModule({}, startAndCall) },
  {
    title: "a synchronous call that finds a promise",
    code: "WOULD_BLOCK",
    run: withModule({ methods: { go: async () => 1 } }, async ({ kernel }) => {
      await kernel.start("bad");
      return kernel.invokeSync("bad", "go");
    }),
  },
  {
    title: "a stream of a module that has none",
    code: "UNKNOWN_METHOD",
    run: ({ kernel }) => kernel.stream("witness", "x")[Symbol.asyncIterator]().next(),
  },
  {
    title: "a circle of dependencies",
    code: "DEPENDENCY_CYCLE",
    run: async ({ kernel }) => {
      await kernel.register(nativeModule({ id: "a", depends: { b: "*" } }));
      await kernel.register(nativeModule({ id: "b", depends: { a: "*" } }));
      return kernel.start("a");
    },
  },
  {
    title: "a dependency that fails",
    code: ["DEPENDENCY_FAILED", "MODULE_FAILED"],
    run: withModule({ start: throwUndefined }, async ({ kernel }) => {
      await kernel.register(nativeModule({ id: "above", depends: { bad: "*" } }));
      return kernel.start("above");
    }),
  },
  {
    title: "a replacement by a broken version",
    code: "RELOAD_FAILED",
    run: withModule({ methods: { go: () => 1 } }, async ({ kernel }) => {
      await kernel.start("bad");
      return kernel.reload("bad", nativeModule({ id: "bad", version: "2.0.0", start: throwUndefined }));
    }),
  },
  {
    title: "a replacement whose health throws undefined",
    code: "RELOAD_FAILED",
    run: withModule({}, async ({ kernel }) => {
      await kernel.start("bad");
      return kernel.reload("bad", nativeModule({ id: "bad", version: "2.0.0", health: throwUndefined }));
    }),
  },
  {
    title: "a replacement of another id",
    code: "INVALID_OPTIONS",
    run: ({ kernel }) => kernel.reload("witness", nativeModule({ id: "else" })),
  },
  {
    title: "a critical hook that throws undefined",
    code: "PHASE_FAILED",
    run: async ({ kernel }) => {
      using _ = kernel.phase("pre-load", throwUndefined, { critical: true });
      await kernel.register(nativeModule({ id: "bad" }));
    },
  },
  {
    title: "a topic that is none",
    code: "INVALID_TOPIC",
    run: ({ kernel }) => kernel.bus.publish("not a topic", 1),
  },
  {
    title: "a topic of the kernel's own",
    code: "DENIED",
    run: ({ kernel }) => kernel.bus.publish("module.started", 1),
  },
  {
    title: "a request that nobody answers",
    code: "NO_RESPONDER",
    run: ({ kernel }) => kernel.bus.request("who.is.there", 1),
  },
  {
    title: "a responder that throws undefined",
    code: "REQUEST_FAILED",
    run: ({ kernel }) => {
      const responder = kernel.bus.respond("bad.request", throwUndefined);
      return kernel.bus.request("bad.request", 1).finally(() => responder[Symbol.dispose]());
    },
  },
  {
    title: "a responder that never settles",
    code: "DEADLINE_EXCEEDED",
    run: ({ kernel }) => {
      const responder = kernel.bus.respond("bad.request", never);
      return kernel.bus
        .request("bad.request", 1, { timeoutMs: 20 })
        .finally(() => responder[Symbol.dispose]());
    },
  },
  {
    title: "a second responder",
    code: "DUPLICATE_RESPONDER",
    run: ({ kernel }) => {
      using _ = kernel.bus.respond("bad.request", () => 1);
      kernel.bus.respond("bad.request", () => 2);
    },
  },
  {
    title: "a sender whose subscriber never reads",
    code: "DEADLINE_EXCEEDED",
    run: async ({ kernel }) => {
      using _ = kernel.bus.subscribe("bad.news", { capacity: 1, overflow: "back-pressure" });
      await kernel.bus.send("bad.news", 1);
      await kernel.bus.send("bad.news", 2, { timeoutMs: 20 });
    },
  },
  {
    title: "a queue of no size",
    code: "INVALID_OPTIONS",
    run: ({ kernel }) => kernel.bus.subscribe("bad.news", { capacity: -1 }),
  },
  {
    title: "a signal that fired before the call",
    code: "ABORTED",
    run: withModule({ methods: { go: () => 1 } }, async ({ kernel }) => {
      await kernel.start("bad");
      return kernel.invoke("bad", "go", null, { signal: AbortSignal.abort() });
    }),
  },
  {
    title: "a call that waits for itself",
    code: "DEADLINE_EXCEEDED",
    run: withModule({ methods: { go: (call) => call.invoke("bad", "go2"), go2: never } }, startAndCall),
  },
  {
    title: "a time for a call that is a word",
    code: "INVALID_OPTIONS",
    run: ({ kernel }) => kernel.invoke("witness", "answer", null, { timeoutMs: "soon" as never }),
  },
  {
    title: "a time for a call that is no time",
    code: "INVALID_OPTIONS",
    run: ({ kernel }) => kernel.invoke("witness", "answer", null, { timeoutMs: Number.NaN }),
  },
];

export const moduleCases: readonly BadCase[] = [
  ...unknown.map(([what, run]): BadCase => ({
    title: `${what} of an unknown id`,
    code: "UNKNOWN_MODULE",
    run,
  })),
  ...[...thrown, ...hung].map(([title, code, run]): BadCase => ({ title, code, run })),
  ...other,
];
