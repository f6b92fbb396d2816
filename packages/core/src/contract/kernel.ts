import type { Bus, Cursor, Envelope } from "./bus.ts";
import type { CallOptions } from "./call.ts";
import type { KeelsonError } from "./errors.ts";
import type { Hooks } from "./hooks.ts";
import type { Manifest } from "./manifest.ts";
import type { Metrics } from "./metrics.ts";
import type { Health, ModuleDefinition, ModuleLoader, ModuleMetadata, ModuleState } from "./module.ts";
import type { Platform, ProcessInfo, TerminationReport } from "./platform.ts";
import type { QuarantineOptions, QuarantineStatus } from "./quarantine.ts";
import type { Relief } from "./pool.ts";
import type { SupervisorTransition, SupervisorView } from "./supervised.ts";
import type { Measured, MeasureOptions } from "./usage.ts";
import type { MaybePromise, Value } from "./value.ts";

/** Options of a kernel. */
export interface KernelOptions {
  readonly platform: Platform;
  /** Loaders for `load` besides the built-in kinds native and process; one for a kind that is there replaces it. */
  readonly loaders?: readonly ModuleLoader[] | undefined;
  /** What `processes.reclaim()` found before this kernel was made; told as the event `kernel.reclaimed`, survivors are logged. */
  readonly reclaimed?: TerminationReport | undefined;
  /** Default time of a call, ms. Default 30,000. */
  readonly callTimeoutMs?: number | undefined;
  /** Envelopes that the bus keeps for replay, in memory. Default 10,000. */
  readonly logCapacity?: number | undefined;
  /** Calls that may park while a module without overlap is replaced; requests and runs of hooks that may wait for it likewise. Default 1,000. */
  readonly maxParked?: number | undefined;
  /** How long a reload lets the calls of the old generation drain, ms. Default 30,000. */
  readonly drainMs?: number | undefined;
  /** When modules whose guests are stopped too often are refused; false for never. Default: 3 stops in 10 s, for 1 s doubling to 60 s. */
  readonly quarantine?: QuarantineOptions | false | undefined;
}

/** The host's handle on its modules. Disposing it shuts it down. */
export interface Kernel extends AsyncDisposable {
  readonly platform: Platform;
  /** The host's door to the bus: it hears everything and publishes as `host`. */
  readonly bus: Bus;
  /** The host's own extension points. */
  readonly hooks: Hooks;
  /** `text()` gives all series as OpenMetrics text. */
  readonly metrics: Metrics & { text(): string };
  /** Registers a definition; nothing runs yet. `DUPLICATE_MODULE`, `INVALID_OPTIONS`, `KERNEL_CLOSED`. */
  register(definition: ModuleDefinition): Promise<void>;
  /**
   * Loads a manifest (`.json`), a folder with a `manifest.json`, or a bare file that some loader takes, then registers and starts it. Relative
   * paths are resolved against the working directory. When any step fails nothing stays registered: `NOT_FOUND`, `INVALID_MANIFEST`, `UNKNOWN_KIND`,
   * `UNSUPPORTED`, what the loader throws, and what `register` and `start` do.
   */
  load(source: string | URL, options?: LoadOptions): Promise<Plugin>;
  /** Takes a module as far as `initialized`. `UNKNOWN_MODULE`, `ILLEGAL_TRANSITION` when it is further already, or what its init failed with. */
  init(id: string): Promise<void>;
  /**
   * Starts modules and what they depend on, in parallel where the dependencies allow. No id: all. One that fails keeps no independent one from
   * starting; the first failure is thrown, and of several `details.failed` names all. `UNKNOWN_MODULE`, `DEPENDENCY_MISSING`, `DEPENDENCY_CYCLE`, `DEPENDENCY_FAILED`,
   * `INIT_TIMEOUT`, `START_TIMEOUT`, `MODULE_FAILED`, `PHASE_FAILED`, or the module's own KeelsonError.
   */
  start(...ids: readonly string[]): Promise<void>;
  /** Stops modules, dependents first. No id: all. `UNKNOWN_MODULE`, `STOP_TIMEOUT`, `PROCESS_SURVIVED`, `MODULE_FAILED`, `PHASE_FAILED`. */
  stop(...ids: readonly string[]): Promise<void>;
  /**
   * Replaces a module by a new version, or by a new generation of the same, and resolves when the new one serves. A version is a definition, or what
   * `load` takes, read anew with its manifest. `RELOAD_FAILED` when it did not come up; `details.serving` says whether the old one serves on.
   * `UNKNOWN_MODULE`, `INVALID_OPTIONS`, `DEPENDENCY_MISSING`, and for a path what `load` throws of it: nothing was changed.
   */
  reload(id: string, version?: ModuleDefinition | string | URL): Promise<void>;
  /** Stops and removes; what went wrong on the way is returned, not thrown. `UNKNOWN_MODULE`, or `PHASE_FAILED` of a critical `pre-unload` hook. */
  unload(id: string): Promise<readonly KeelsonError[]>;
  /**
   * Calls a method of a running module. `UNKNOWN_MODULE`, `MODULE_NOT_RUNNING`, `UNKNOWN_METHOD`, `DEADLINE_EXCEEDED`, `ABORTED` (by the caller, or since the
   * module stopped), `MODULE_QUARANTINED`, `CALL_FAILED` with what the module threw as cause, or the module's own KeelsonError.
   */
  invoke(id: string, method: string, payload?: Value, options?: CallOptions): Promise<Value>;
  /** The same for a value that is there at once; `WOULD_BLOCK` when the module answers with a promise. */
  invokeSync(id: string, method: string, payload?: Value): Value;
  /**
   * `invoke` that also tells what the call used; when it fails, that is in the error's `details.usage`, if the module got far enough to know. With `record`
   * it keeps everything needed to run the call again. Errors as of `invoke`, and `UNSUPPORTED` for a module that cannot be recorded.
   */
  measure(id: string, method: string, payload?: Value, options?: MeasureOptions): Promise<Measured>;
  /** Calls a method that answers with a stream; the deadline is one for the whole stream. Leaving the loop ends it. Errors as of `invoke`, at the first step. */
  stream(id: string, method: string, payload?: Value, options?: CallOptions): AsyncIterable<Value>;
  /**
   * Memory is short: modules with pools, such as WebAssembly, end instances that are idle, the largest of a module first, until `bytes` (default: all that
   * there are) are given back, and make `min` new ones. Calls are not touched. Asks module after module, or the one with this id alone. `UNKNOWN_MODULE`,
   * `INVALID_OPTIONS` for bytes that are no number from 0.
   */
  relieve(id?: string, bytes?: number): Relief;
  /** Asks the module's own health function, within 5,000 ms; a failure is an answer too. Rejects only with `UNKNOWN_MODULE`. */
  health(id: string): Promise<Health>;
  /** Never waits. Undefined for an unknown id. */
  state(id: string): ModuleState | undefined;
  /** All modules, in the order in which they were registered. */
  list(): readonly ModuleStatus[];
  /**
   * Makes the set of running modules what `desired` says, ids or definitions: registers and starts what is missing, reloads what has another version, stops
   * what is no longer desired (it stays registered). What goes wrong on the way is in the report. What it throws
   * (`UNKNOWN_MODULE`, `INVALID_OPTIONS`, `DUPLICATE_MODULE`, `DEPENDENCY_MISSING`, `DEPENDENCY_CYCLE`) comes before anything is changed.
   */
  reconcile(desired: readonly (string | ModuleDefinition)[]): Promise<ReconcileReport>;
  /** Runs `hook` around lifecycle operations of all modules, until the handle is disposed. `INVALID_OPTIONS` for a phase that there is not. */
  phase(phase: Phase, hook: PhaseHook, options?: PhaseOptions): Disposable;
  /** Events kept by the bus's log, in the order (timestamp, id, source), behind `from` if given. `CURSOR_EXPIRED` when the log no longer reaches back. */
  events(from?: Cursor): readonly Envelope[];
  /** What supervisors did, oldest first, at most the last 1,000 changes. */
  transitions(): readonly SupervisorTransition[];
  /**
   * Ends all modules, dependents first; a second call joins the first. Rejects only with `INVALID_OPTIONS`, for a time-out that is none: then nothing
   * is ended.
   */
  shutdown(options?: ShutdownOptions): Promise<ShutdownReport>;
}

/** Options of {@link Kernel.load}. */
export interface LoadOptions {
  /** Register under this id instead of the manifest's own. */
  readonly id?: string | undefined;
  /** Do not start. Default: start. */
  readonly start?: boolean | undefined;
}

/** A loaded module, bound to its id. Disposing it unloads the module. */
export interface Plugin extends AsyncDisposable {
  readonly id: string;
  /** {@link Kernel.invoke} of this module. */
  call(method: string, payload?: Value, options?: CallOptions): Promise<Value>;
  /** {@link Kernel.invokeSync} of this module. */
  callSync(method: string, payload?: Value): Value;
}

/** One line of {@link Kernel.list}. */
export interface ModuleStatus {
  readonly metadata: ModuleMetadata;
  /**
   * The manifest of the version that serves, for what a host does with it: its routes, its capabilities. A bare file has one of defaults; undefined for a
   * definition without.
   */
  readonly manifest: Manifest | undefined;
  readonly state: ModuleState;
  /** Of the generation under way or the last one; 0 before the first. */
  readonly generation: number;
  /** Calls that wait for a promise of the module. */
  readonly inFlight: number;
  /** Undefined for a module without `restart`. */
  readonly supervisor: SupervisorView | undefined;
  /** The last failure, if the module failed. */
  readonly error: KeelsonError | undefined;
  /** Set while it is refused because its guest was stopped too often. */
  readonly quarantine: QuarantineStatus | undefined;
}

/** An operation that phases stand around. */
export type PhaseStep = "load" | "start" | "stop" | "unload";
/** A moment before or after a lifecycle operation. */
export type Phase = `${"pre" | "post"}-${PhaseStep}`;
/** Runs at a phase. One that fails is told as an event, unless it is critical. */
export type PhaseHook = (info: {
  readonly phase: Phase;
  readonly metadata: ModuleMetadata;
}) => MaybePromise<void>;

/** Options of {@link Kernel.phase}. */
export interface PhaseOptions {
  /** Higher runs first. Default 0. */
  readonly priority?: number | undefined;
  /** Its failure ends the operation with `PHASE_FAILED`; else it becomes an event and a metric. Default false. */
  readonly critical?: boolean | undefined;
}

/** What a {@link Kernel.reconcile} did, as ids. */
export interface ReconcileReport {
  /** Started; registered before, if it was not there. */
  readonly added: readonly string[];
  /** Stopped. Still registered. */
  readonly removed: readonly string[];
  /** Was running already. */
  readonly kept: readonly string[];
  readonly reloaded: readonly string[];
  readonly errors: readonly { readonly id: string; readonly error: KeelsonError }[];
}

/** Options of {@link Kernel.shutdown}. */
export interface ShutdownOptions {
  /** After this what has not stopped is no longer waited for, and is `STOP_TIMEOUT` in the report, ms. Default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/** What a shutdown found. */
export interface ShutdownReport {
  /** Ids of the modules that were up and were stopped. */
  readonly terminated: readonly string[];
  /** Processes that could not be ended. */
  readonly orphans: readonly ProcessInfo[];
  /** What failed to stop, and earlier failures that no caller waited for. */
  readonly errors: readonly { readonly id: string; readonly error: KeelsonError }[];
}
