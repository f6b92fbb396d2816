import {
  createBus,
  createKernel,
  createPool,
  createSupervisor,
  type BusOptions,
  type Kernel,
  type KernelBus,
  type KernelOptions,
  type Platform,
  type Pool,
  type PoolDeps,
  type PoolOptions,
  type PoolSource,
  type Supervisor,
  type SupervisorOptions,
} from "@keelson/core";

/** How to run a JavaScript file as a child on the runtime under test. */
export interface ChildRunner {
  readonly command: string;
  /** What stands before the file's path, such as `["run", "-A"]`. */
  readonly args: readonly string[];
}

/**
 * What is checked: an adapter's platform and the parts that run on it. The factories are there so that a part can be exchanged: by somebody's
 * own implementation, or by one that is broken on purpose.
 */
export interface Subject {
  readonly name: string;
  /** A new platform for each check. */
  platform(): Platform;
  createKernel(options: KernelOptions): Kernel | Promise<Kernel>;
  createPool<T>(source: PoolSource<T>, options: PoolOptions, deps: PoolDeps): Pool<T>;
  createBus(options: BusOptions): KernelBus;
  createSupervisor(options: SupervisorOptions): Supervisor;
  /** Absent: checks that need a child process program are skipped. */
  readonly child: ChildRunner | undefined;
}

/** What an adapter's module exports for `keelson conformance --adapter`. All but `platform` is optional. */
export interface AdapterModule extends Partial<Omit<Subject, "platform" | "child">> {
  platform(): Platform;
  readonly child?: ChildRunner | undefined;
}

/** A {@link Subject} from an adapter's exports, with core's own parts for what it does not bring. */
export function createSubject(adapter: AdapterModule): Subject {
  return {
    name: adapter.name ?? adapter.platform().name,
    platform: () => adapter.platform(),
    createKernel: adapter.createKernel ?? createKernel,
    createPool: adapter.createPool ?? createPool,
    createBus: adapter.createBus ?? createBus,
    createSupervisor: adapter.createSupervisor ?? createSupervisor,
    child: adapter.child,
  };
}
