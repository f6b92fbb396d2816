import type {
  Bus,
  Clock,
  Files,
  Instance,
  Kernel,
  KernelBus,
  KernelOptions,
  Module,
  ModuleDefinition,
  Platform,
  Pool,
  PoolDeps,
  PoolOptions,
  PoolSource,
  Process,
  Processes,
  Random,
  SpawnOptions,
  Supervisor,
  SupervisorOptions,
  WasmModule,
} from "@keelson/core";
import type { Subject, WasmSubjectOptions } from "../../src/index.ts";

/** Makes a subject that does not keep a promise. */
export type Breaking = (subject: Subject) => Subject;

/** Replaces members of every kernel; what is not named stays as it is. */
export function breakKernel(
  replace: (kernel: Kernel) => Partial<Kernel>,
  options: Partial<KernelOptions> = {},
): Breaking {
  return (subject) => ({
    ...subject,
    async createKernel(given) {
      const kernel = await subject.createKernel({ ...given, ...options });
      return overlay(kernel, replace(kernel));
    },
  });
}

/** Replaces parts of every platform. */
export function breakPlatform(replace: (platform: Platform) => Partial<Platform>): Breaking {
  return (subject) => ({
    ...subject,
    platform() {
      const platform = subject.platform();
      return { ...platform, ...replace(platform) };
    },
  });
}

export function breakClock(replace: (clock: Clock) => Partial<Clock>): Breaking {
  return breakPlatform(({ clock }) => ({ clock: overlay(clock, replace(clock)) }));
}

export function breakRandom(replace: (random: Random) => Partial<Random>): Breaking {
  return breakPlatform(({ random }) => ({ random: overlay(random, replace(random)) }));
}

export function breakFiles(replace: (files: Files) => Partial<Files>): Breaking {
  return breakPlatform(({ files }) => (files === undefined ? {} : { files: overlay(files, replace(files)) }));
}

export function breakProcesses(replace: (processes: Processes) => Partial<Processes>): Breaking {
  return breakPlatform(({ processes }) =>
    processes === undefined ? {} : { processes: overlay(processes, replace(processes)) },
  );
}

/** How a child was started. */
export interface Spawn {
  readonly command: string;
  readonly args: readonly string[];
  readonly options: SpawnOptions;
}

/** Replaces members of every child. */
export function breakChildren(replace: (child: Process, spawn: Spawn) => Partial<Process>): Breaking {
  return breakProcesses((processes) => ({
    async spawn(command, args, options) {
      const child = await processes.spawn(command, args, options);
      return overlay(child, replace(child, { command, args, options }));
    },
  }));
}

/** Changes how children are started. */
export function breakSpawn(change: (spawn: Spawn) => Partial<Spawn>): Breaking {
  return breakProcesses((processes) => ({
    spawn(command, args, options) {
      const given = { command, args, options };
      const changed = { ...given, ...change(given) };
      return processes.spawn(changed.command, changed.args, changed.options);
    },
  }));
}

/** Replaces members of every bus. */
export function breakBus(replace: (bus: KernelBus) => Partial<KernelBus>): Breaking {
  return (subject) => ({
    ...subject,
    createBus(options) {
      const bus = subject.createBus(options);
      return overlay(bus, replace(bus));
    },
  });
}

/** Replaces members of every supervisor, or what it is made from. */
export function breakSupervisor(
  replace: (supervisor: Supervisor) => Partial<Supervisor>,
  change: (options: SupervisorOptions) => SupervisorOptions = (options) => options,
): Breaking {
  return (subject) => ({
    ...subject,
    createSupervisor(options) {
      const supervisor = subject.createSupervisor(change(options));
      return overlay(supervisor, replace(supervisor));
    },
  });
}

/** Changes what is pooled and how. */
export function breakPooled(
  source: (source: WasmModule) => WasmModule,
  options: (options: PoolOptions) => PoolOptions = (given) => given,
  module: (module: Module) => Module = (given) => given,
): Breaking {
  return (subject) => ({
    ...subject,
    pooled: (given, settings) => module(subject.pooled(source(given), options(settings))),
  });
}

/** Replaces members of every instance that is pooled. */
export function breakInstances(replace: (instance: Instance) => Partial<Instance>): Breaking {
  return breakPooled((source) => ({
    ...source,
    async instantiate(context) {
      const instance = await source.instantiate(context);
      return overlay(instance, replace(instance));
    },
  }));
}

/** Changes what WebAssembly modules are made from, or what they become. */
export function breakWasm(
  change: (options: WasmSubjectOptions) => WasmSubjectOptions,
  define: (definition: ModuleDefinition) => ModuleDefinition = (given) => given,
): Breaking {
  return (subject) => {
    const { wasmModule } = subject;
    return wasmModule === undefined
      ? subject
      : { ...subject, wasmModule: (options) => define(wasmModule(change(options))) };
  };
}

/** A door to the bus for every module, with members replaced. */
export function breakDoors(replace: (door: Bus, kernel: Kernel) => Partial<Bus>): Breaking {
  return breakKernel((kernel) => ({
    register: (definition) =>
      kernel.register({
        ...definition,
        async create() {
          const module = await definition.create();
          return {
            ...module,
            start: (context) =>
              module.start?.(overlay(context, { bus: overlay(context.bus, replace(context.bus, kernel)) })),
          };
        },
      }),
  }));
}

type AnyPool = Pool<unknown>;

/** Replaces members of every pool, or what it is made from. */
export function breakPool(
  replace: (pool: AnyPool, source: PoolSource<unknown>) => Partial<AnyPool>,
  change: (options: PoolOptions) => PoolOptions = (options) => options,
  source: (source: PoolSource<unknown>) => PoolSource<unknown> = (given) => given,
): Breaking {
  return (subject) => ({
    ...subject,
    createPool<T>(given: PoolSource<T>, options: PoolOptions, deps: PoolDeps): Pool<T> {
      const changed = source(given as PoolSource<unknown>);
      const pool = subject.createPool<unknown>(changed, change(options), deps);
      return overlay(pool, replace(pool, changed)) as Pool<T>;
    },
  });
}

/** `target` with some members replaced; the others still run on it. */
export function overlay<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_, key) {
      if (Object.hasOwn(members, key)) return (members as Record<PropertyKey, unknown>)[key];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}
