import { KeelsonError, type Kernel, type ModuleDefinition, type Module, type Value } from "@keelson/core";
import { breakFiles, breakKernel, overlay, type Breaking } from "./breaking.ts";

/** Changes what is registered, and what is reloaded, on its way into the kernel. */
function breakModules(
  change: (module: Module, definition: ModuleDefinition) => Module,
  define?: (definition: ModuleDefinition) => ModuleDefinition,
): Breaking {
  const changed = (definition: ModuleDefinition): ModuleDefinition => {
    const given = define?.(definition) ?? definition;
    return { ...given, create: async () => change(await given.create(), given) };
  };
  return breakKernel((kernel) => ({
    register: (definition) =>
      kernel.register(typeof definition?.create === "function" ? changed(definition) : definition),
    reload: (id, version) => kernel.reload(id, isDefinition(version) ? changed(version) : version),
  }));
}

function isDefinition(version: ModuleDefinition | string | URL | undefined): version is ModuleDefinition {
  return typeof version === "object" && !(version instanceof URL);
}

/** Reloads, and ends the old version in the midst of its calls. */
const endsInTheMidst = breakKernel((kernel) => ({
  async reload(id, version) {
    const reload = kernel.reload(id, version);
    await kernel.stop(id);
    await reload.catch(() => {});
    await kernel.start(id);
  },
}));

const nothing = async (): Promise<void> => {};

export const brokenLifecycles: Readonly<Record<string, Breaking>> = {
  "lifecycle.order": breakModules((module) => ({ ...module, stop() {} })),
  "lifecycle.idempotent": breakKernel((kernel) => ({
    async start(...ids) {
      for (const id of ids) if (kernel.state(id) === "running") await kernel.stop(id);
      await kernel.start(...ids);
    },
  })),
  "lifecycle.illegal-transition": breakKernel((kernel) => ({
    init: (id) => (kernel.state(id) === "running" ? nothing() : kernel.init(id)),
  })),
  "lifecycle.replay": breakKernel((kernel) => ({
    stop: (...ids) =>
      ids.some((id) => kernel.state(id) === "failed")
        ? Promise.reject(new KeelsonError("ILLEGAL_TRANSITION", "no"))
        : kernel.stop(...ids),
  })),
  // waits for what hangs
  "lifecycle.stop-aborts-hung-start": breakKernel((kernel) => ({
    async stop(...ids) {
      if (ids.every((id) => ["initializing", "starting"].includes(kernel.state(id) ?? "")))
        await kernel.start(...ids);
      await kernel.stop(...ids);
    },
  })),
  "lifecycle.deadlines": breakModules(
    (module) => module,
    (definition) => ({ ...definition, deadlines: { initMs: 3_000, startMs: 3_000, stopMs: 3_000 } }),
  ),
  "lifecycle.failed-load-is-undone": breakModules((module) => ({
    ...module,
    ...(module.init === undefined
      ? {}
      : { init: (context) => module.init?.(overlay(context, { scope: { add: (x) => x, defer() {} } })) }),
  })),
  "lifecycle.generations": breakModules(
    (module) => module,
    (definition) => {
      let kept: Promise<Module> | undefined;
      return { ...definition, create: () => (kept ??= Promise.resolve(definition.create())) };
    },
  ),
  // hands modules the bus instead of a door
  "lifecycle.door-closes": breakKernel((kernel) => ({
    register: (definition) =>
      kernel.register({
        ...definition,
        async create() {
          const module = await definition.create();
          return { ...module, start: (context) => module.start?.(overlay(context, { bus: kernel.bus })) };
        },
      }),
  })),
  // one operation at a time, of all modules
  "lifecycle.one-blocks-no-other": breakKernel((kernel) => {
    let last: Promise<unknown> = Promise.resolve();
    return {
      start(...ids) {
        const mine = last.then(() => kernel.start(...ids));
        last = mine.catch(() => {});
        return mine;
      },
    };
  }),
  "lifecycle.dependencies": breakModules(
    (module) => module,
    ({ depends: _, ...definition }) => definition,
  ),
  // a start during a stop is taken for done
  "lifecycle.queued-start": breakKernel((kernel) => ({
    start: (...ids) =>
      ids.some((id) => kernel.state(id) === "stopping") ? kernel.stop(...ids) : kernel.start(...ids),
  })),
  // a stop during a stop forgets that a start waits
  "lifecycle.last-request": breakKernel((kernel) => ({
    stop: (...ids) => (ids.some((id) => kernel.state(id) === "stopping") ? nothing() : kernel.stop(...ids)),
  })),
  // each for itself
  "lifecycle.start-during-chain-stop": breakModules(
    (module) => module,
    ({ depends: _, ...definition }) => definition,
  ),
};

export const brokenReloads: Readonly<Record<string, Breaking>> = {
  "reload.swaps": breakKernel(() => ({ reload: nothing })),
  "reload.rolls-back": breakKernel((kernel) => ({
    async reload(id, definition) {
      await kernel.reload(id, definition).catch(() => kernel.stop(id));
      throw new KeelsonError("RELOAD_FAILED", "and the old one is gone");
    },
  })),
  // says that the old one serves, whether it does or not
  "reload.says-who-serves": breakKernel((kernel) => ({
    reload: (id, definition) =>
      kernel.reload(id, definition).catch((error: KeelsonError) => {
        throw overlay(error, { details: { ...error.details, serving: true } });
      }),
  })),
  // puts the old version back without what watched over it
  "reload.failure-keeps-supervision": breakKernel((kernel) => {
    const definitions = new Map<string, ModuleDefinition>();
    return {
      register(definition) {
        definitions.set(definition.metadata.id, definition);
        return kernel.register(definition);
      },
      reload: (id, definition) =>
        kernel.reload(id, definition).catch(async (error: unknown) => {
          const { restart: _, ...old } = definitions.get(id) as ModuleDefinition;
          await kernel.unload(id);
          await kernel.register(old);
          await kernel.start(id);
          throw error;
        }),
    };
  }),
  "reload.only-asked": breakKernel((kernel) => ({
    async reload(id, definition) {
      await kernel.reload(id, definition);
      await kernel.start();
    },
  })),
  // lets calls in flight go, and refuses what comes meanwhile
  "reload.loses-no-call": breakKernel((kernel) => ({
    async reload(id, version) {
      await kernel.unload(id);
      if (isDefinition(version)) await kernel.register(version);
      await kernel.start(id);
    },
  })),
  // ends the old version although it is being asked
  "reload.answers-what-was-asked": breakKernel((kernel) => ({
    async reload(id, version) {
      await kernel.stop(id);
      await kernel.reload(id, version);
      await kernel.start(id);
    },
  })),
  // nobody waits for a version that is not there yet
  "reload.requests-wait": breakKernel((kernel) => ({
    bus: overlay(kernel.bus, { request: (topic, data) => answeredAtOnce(kernel, topic, data) }),
  })),
  "reload.inner-hooks": endsInTheMidst,
  "reload.inner-calls": endsInTheMidst,
  "reload.never-two-alive": breakModules(
    (module) => module,
    (definition) => ({ ...definition, overlap: true }),
  ),
  "reload.given-up-by-stop": breakKernel(() => ({ stop: nothing })),
  "reload.listens-once": breakKernel((kernel) => ({
    register: (definition) => kernel.register(listeningAtOnce(kernel, definition)),
    reload: (id, version) =>
      kernel.reload(id, isDefinition(version) ? listeningAtOnce(kernel, version) : version),
  })),
};

/** A request that is lost where its answer does not come in the same turn. */
async function answeredAtOnce({ bus }: Kernel, topic: string, data: Value): Promise<Value> {
  const answer = bus.request(topic, data);
  const lost = new KeelsonError("NO_RESPONDER", `Nobody answers requests on "${topic}"`);
  let turns = 0;
  const soon = async (): Promise<never> => {
    while (turns++ < 20) await Promise.resolve();
    throw lost;
  };
  return Promise.race([answer, soon()]);
}

function listeningAtOnce(kernel: Kernel, definition: ModuleDefinition): ModuleDefinition {
  return {
    ...definition,
    async create() {
      const module = await definition.create();
      return { ...module, start: (context) => module.start?.(overlay(context, { bus: kernel.bus })) };
    },
  };
}

export const brokenKernels: Readonly<Record<string, Breaking>> = {
  "kernel.registry": breakKernel((kernel) => ({
    async register(definition) {
      if (kernel.state(definition.metadata.id) !== undefined) await kernel.unload(definition.metadata.id);
      await kernel.register(definition);
    },
  })),
  "kernel.call-fails-alone": breakKernel((kernel) => ({
    invoke: (id, method, payload, options) =>
      kernel.invoke(id, method, payload, options).catch((error: unknown) => {
        throw (error as Error).cause;
      }),
  })),
  "kernel.call-deadline": breakModules((module) => ({
    ...module,
    call: (call) => module.call?.(overlay(call, { invoke: () => new Promise<never>(() => {}) })),
  })),
  // answers on behalf of a module that no longer runs
  "kernel.stop-ends-calls": breakKernel((kernel) => ({
    invoke: (id, method, payload, options) =>
      kernel.state(id) === "stopped" ? Promise.resolve(1) : kernel.invoke(id, method, payload, options),
  })),
  "kernel.would-block": breakKernel((kernel) => ({
    invokeSync: (id, method, payload) => kernel.invoke(id, method, payload) as never,
  })),
  "kernel.phases": breakKernel((kernel) => ({ phase: (phase, hook) => kernel.phase(phase, hook) })),
  // counts what it did not end as ended
  "kernel.shutdown-report": breakKernel((kernel) => ({
    async shutdown() {
      const report = await kernel.shutdown();
      return { ...report, terminated: kernel.list().map(({ metadata }) => metadata.id), errors: [] };
    },
  })),
  // as long as the modules take
  "kernel.shutdown-in-time": breakKernel((kernel) => ({ shutdown: () => kernel.shutdown() })),
  // reads first
  "kernel.manifest-bounded": breakFiles((files) => ({
    async stat(file) {
      const stat = await files.stat(file);
      return stat && { ...stat, bytes: Math.min(stat.bytes, 1_024) };
    },
  })),
  "kernel.unload": breakKernel((kernel) => ({
    async unload(id) {
      await kernel.unload(id);
      return [];
    },
  })),
};
