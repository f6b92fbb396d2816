import {
  createBus,
  createKernel,
  createPool,
  createSupervisor,
  pooled,
  type BusOptions,
  type Bytes,
  type CallRecord,
  type Clock,
  type Kernel,
  type KernelBus,
  type KernelOptions,
  type Module,
  type ModuleDefinition,
  type Platform,
  type Pool,
  type PoolDeps,
  type PoolOptions,
  type PoolSource,
  type Supervisor,
  type SupervisorOptions,
  type Value,
  type WasmModule,
} from "@keelson/core";
import { requireGiven } from "./given.ts";

/** How to run a JavaScript file as a child on the runtime under test. The file is an ES module and imports `node:process` and its siblings. */
export interface ChildRunner {
  readonly command: string;
  /** What stands before the file's path, such as `["run", "-A"]`. */
  readonly args: readonly string[];
}

/** A function that a host gives its guests. */
export type HostFunction = (...args: never[]) => unknown;

/** Options of {@link Subject.wasmModule}: some of those of `wasmModule` of `@keelson/wasm`, which fits as it is. */
export interface WasmSubjectOptions {
  readonly id: string;
  /** A core module. */
  readonly source: Bytes;
  /** A call's method names an exported function, its payload is the list of its arguments. */
  readonly abi: "raw" | "keelson";
  readonly pool?: PoolOptions;
  /** `memory`: linear memory of one instance at most, bytes; `fuel`: units of work in one call at most; `cpuMs`: its own running time in one call, ms; `instances`: live instances in the kernel. */
  readonly limits?: {
    readonly memory?: number;
    readonly fuel?: number;
    readonly cpuMs?: number;
    readonly instances?: number;
  };
  /** A flag over shared memory: guests are stopped while its first element is not 0. */
  readonly interrupt?: Int32Array;
  /** Host functions that the module imports: module → name → function. */
  readonly imports?: Readonly<Record<string, Record<string, HostFunction>>>;
  /** "sliced": a guest gives up the thread after each slice of time. */
  readonly scheduling?: "exclusive" | "sliced";
  /** Where the guest runs: in the host's thread, in one of its own, or in a process of its own. */
  readonly isolation?: "inline" | "worker" | "process";
  /** "fresh": each call meets a guest as new. */
  readonly state?: "keep" | "fresh";
}

/** What running a recorded call again found. */
export interface ReplayedCall {
  readonly value: Value;
  readonly fuel: number;
  /** Whether it ended as the record says. */
  readonly equal: boolean;
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
  pooled(source: WasmModule, options: PoolOptions): Module;
  /** Absent: the checks of WebAssembly modules are skipped. */
  readonly wasmModule: ((options: WasmSubjectOptions) => ModuleDefinition) | undefined;
  /** Marks a host function as asynchronous, as `suspending` of `@keelson/wasm` does. Absent: the checks of such functions are skipped. */
  readonly suspending: ((run: HostFunction) => HostFunction) | undefined;
  /** Runs a recorded call again, as `replay` of `@keelson/wasm` does; differences are `REPLAY_DIVERGED` unless `strict` is false. Absent: its checks are skipped. */
  replay?(
    record: CallRecord,
    source: Bytes,
    options: { readonly clock: Clock; readonly strict?: boolean },
  ): Promise<ReplayedCall>;
  /** Absent: checks that need a child process program are skipped. */
  readonly child: ChildRunner | undefined;
  /** Where checks may make folders of their own. */
  readonly scratch: URL | undefined;
}

/** What an adapter's module exports for `keelson conformance --adapter`. All but `platform` is optional. */
export interface AdapterModule extends Partial<Omit<Subject, "platform">> {
  platform(): Platform;
}

/** A {@link Subject} from an adapter's exports, with core's own parts for what it does not bring. @throws KeelsonError `INVALID_OPTIONS` for no adapter */
export function createSubject(adapter: AdapterModule): Subject {
  requireGiven(typeof adapter?.platform === "function", "an adapter, with a function platform()");
  const name = adapter.name ?? adapter.platform()?.name;
  requireGiven(typeof name === "string", "an adapter whose platform() answers a platform");
  return {
    name,
    platform: () => adapter.platform(),
    createKernel: adapter.createKernel ?? createKernel,
    createPool: adapter.createPool ?? createPool,
    createBus: adapter.createBus ?? createBus,
    createSupervisor: adapter.createSupervisor ?? createSupervisor,
    pooled: adapter.pooled ?? pooled,
    wasmModule: adapter.wasmModule,
    suspending: adapter.suspending,
    ...(adapter.replay && { replay: adapter.replay.bind(adapter) }),
    child: adapter.child,
    scratch: adapter.scratch,
  };
}
