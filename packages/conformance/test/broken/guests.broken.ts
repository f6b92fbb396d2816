import { KeelsonError, pooled, type ModuleDefinition, type WasmModule } from "@keelson/core";
import type { Subject } from "../../src/index.ts";
import { breakInstances, breakKernel, breakPooled, breakWasm, overlay, type Breaking } from "./breaking.ts";

export const brokenPooled: Readonly<Record<string, Breaking>> = {
  // one instance for all
  "pooled.one-call-at-a-time": breakPooled(sharing),
  // a trapped instance does not say so
  "pooled.trap-discards": breakInstances((instance) => ({
    dead: false,
    async call(call) {
      try {
        return await instance.call(call);
      } catch {
        throw new KeelsonError("CALL_FAILED", "something went wrong");
      }
    },
  })),
  "pooled.warm": breakPooled(
    (source) => source,
    ({ min: _, ...options }) => options,
  ),
  "pooled.stop-disposes": breakPooled((source) => ({
    ...source,
    instantiate: async (context) => overlay(await source.instantiate(context), { [Symbol.dispose]() {} }),
  })),
  "pooled.relieves": breakPooled(
    (source) => source,
    (options) => options,
    (module) => overlay(module, { relieve: () => ({ instances: 0, bytes: 0 }) }),
  ),
  "pooled.at-once": breakPooled(
    (source) => source,
    (options) => options,
    (module) => overlay(module, { call: async (call) => module.call?.(call) }),
  ),
  // the wait is the pool's own
  "pooled.waits-to-deadline": breakPooled(
    (source) => source,
    (options) => ({ ...options, timeoutMs: 1 }),
  ),
  // forgets who asks
  "pooled.call-cycle": breakPooled(
    (source) => source,
    (options) => options,
    (module) => overlay(module, { call: (call) => module.call?.(overlay(call, { parent: undefined })) }),
  ),
  // makes another first
  "pooled.error-first": breakPooled((source) => ({
    ...source,
    async instantiate(context) {
      const instance = await source.instantiate(context);
      return overlay(instance, {
        call(call) {
          try {
            return instance.call(call);
          } catch (error) {
            void source.instantiate(context);
            throw error;
          }
        },
      });
    },
  })),
};

function sharing(source: WasmModule): WasmModule {
  let shared: ReturnType<WasmModule["instantiate"]> | undefined;
  return { ...source, instantiate: (context) => (shared ??= source.instantiate(context)) };
}

/** A wasm module whose first error is kept for the first call. */
function failsLate(definition: ModuleDefinition): ModuleDefinition {
  return {
    ...definition,
    create: () =>
      pooled({ instantiate: () => Promise.reject(new KeelsonError("INVALID_WASM", "found out late")) }, {}),
  };
}

export const brokenWasm: Readonly<Record<string, Breaking>> = {
  // a new instance for each call
  "wasm.calls": breakWasm((options) => ({ ...options, pool: { ...options.pool, maxUses: 1 } })),
  // answers later
  "wasm.at-once": breakWasm(
    (options) => options,
    (definition) => ({
      ...definition,
      async create() {
        const module = await definition.create();
        return overlay(module, { call: async (call) => module.call?.(call) });
      },
    }),
  ),
  "wasm.trap-discards": breakKernel((kernel) => ({
    invoke: (id, method, payload, options) =>
      kernel.invoke(id, method, payload, options).catch((error: unknown) => {
        if (error instanceof WebAssembly.RuntimeError) throw error;
        throw (error as Error).cause ?? error;
      }),
  })),
  "wasm.memory-cap": breakWasm(({ limits: _, ...options }) => options),
  "wasm.bad-bytes": breakWasm((options) => options, failsLate),
  "wasm.missing-import": breakWasm((options) => options, failsLate),
  // holds the thread well past the deadline before it gives up
  "wasm.runaway-stopped": breakWasm(
    (options) => options,
    inHostsThread({
      spin() {
        const until = performance.now() + 1_200;
        while (performance.now() < until);
        throw new KeelsonError("DEADLINE_EXCEEDED", "at last");
      },
    }),
  ),
  "wasm.fuel": breakWasm(
    ({ limits: _, ...options }) => options,
    inHostsThread({
      spin() {
        throw new KeelsonError("FUEL_EXHAUSTED", "out of fuel, it does not say after how much");
      },
    }),
  ),
  "wasm.recursion-stopped": breakWasm(
    (options) => options,
    inHostsThread({
      // Not in tail position: JavaScriptCore has proper tail calls, and would go on for ever.
      recurse: function again(depth = 0): never {
        return (again(depth + 1) + depth) as never;
      },
    }),
  ),
  // holds the thread in its start, and starts all the same
  "wasm.start-limited": breakWasm(
    (options) => options,
    (definition) =>
      definition.metadata.id === "calm"
        ? definition
        : {
            ...definition,
            create: () => ({
              start() {
                const until = performance.now() + 2_500;
                while (performance.now() < until);
                throw new KeelsonError("DEADLINE_EXCEEDED", "at last");
              },
            }),
          },
  ),
  // makes whatever comes
  "wasm.initializers-limited": breakWasm(
    (options) => options,
    inHostsThread({ f: () => undefined as never }),
  ),
  "wasm.table-cap": breakWasm((options) => options, inHostsThread({ elements: () => 1 as never })),
  // too late is too late
  "wasm.stop-told": breakKernel((kernel) => ({
    invoke: (id, method, payload, options) =>
      kernel.invoke(id, method, payload, options).catch((error: unknown) => {
        throw new KeelsonError((error as KeelsonError).code, "it did not answer in time");
      }),
  })),
  "wasm.instances-capped": breakWasm(({ limits: _, ...options }) => options),
  // reads whatever comes
  "wasm.answer-bounded": breakKernel((kernel) => ({
    invoke: (id, method, payload, options) => kernel.invoke(id, method, payload, options).catch(() => [[[]]]),
  })),
  // a trap is a trap
  "wasm.refusal-told": breakKernel((kernel) => ({
    invoke: (id, method, payload, options) =>
      kernel.invoke(id, method, payload, options).catch((error: unknown) => {
        throw new KeelsonError((error as KeelsonError).code, "it trapped");
      }),
  })),
};

export const brokenHostFunctions: Readonly<Record<string, Breaking>> = {
  // says that something failed, not what
  "wasm.host-function-fails": breakKernel((kernel) => ({
    invoke: (id, method, payload, options) =>
      kernel.invoke(id, method, payload, options).catch((error: unknown) => {
        throw new KeelsonError((error as KeelsonError).code, "a host function failed");
      }),
  })),
  // the guest does not hear of it: it has an end of its own
  "wasm.host-function-aborts": breakWasm(
    (options) => options,
    (definition) => ({
      ...definition,
      create: async () => {
        const module = await definition.create();
        return overlay(module, {
          call: (call) => module.call?.(overlay(call, { signal: new AbortController().signal })),
        });
      },
    }),
  ),
  // only the call's own time ends it
  "wasm.slow-host-function": breakWasm(({ limits: _, ...options }) => options),
  "wasm.interrupt": breakWasm(({ interrupt: _, ...options }) => options),
  // nobody waits
  "wasm.instances-waited-for": breakWasm((options) => ({ ...options, pool: { timeoutMs: 0 } })),
  // does not know what the host answered
  "measure.replay": breakReplay(
    (replay) => (record, source, options) => replay({ ...record, hostCalls: [] }, source, options),
  ),
  // takes what comes
  "measure.replay-diverges": breakReplay(
    (replay) => (record, source, options) => replay(record, source, { ...options, strict: false }),
  ),
};

type Replay = NonNullable<Subject["replay"]>;

function breakReplay(change: (replay: Replay) => Replay): Breaking {
  return (subject) => ({ ...subject, replay: change(subject.replay as Replay) });
}

/** What the guest would do, done by the host: nothing stops it there. */
function inHostsThread(
  methods: Readonly<Record<string, (depth?: number) => never>>,
): (definition: ModuleDefinition) => ModuleDefinition {
  return (definition) => ({
    ...definition,
    create: () => ({ call: ({ method }) => (method === "fine" ? 42 : methods[method]?.()) }),
  });
}
