import type { Bus, Cursor, Envelope } from "./bus.ts";
import type { CallOptions } from "./call.ts";
import type { KeelsonError } from "./errors.ts";
import type { Hooks } from "./hooks.ts";
import type { Metrics } from "./metrics.ts";
import type { Health, ModuleDefinition, ModuleLoader, ModuleMetadata, ModuleState } from "./module.ts";
import type { Platform, ProcessInfo, TerminationReport } from "./platform.ts";
import type { SupervisorTransition, SupervisorView } from "./supervised.ts";
import type { MaybePromise, Value } from "./value.ts";

/** Options of a kernel. */
export interface KernelOptions {
  readonly platform: Platform;
  /** Loaders for `load` besides the built-in kinds native and process. */
  readonly loaders?: readonly ModuleLoader[];
  /** What `processes.reclaim()` found before this kernel was made; told as the event `kernel.reclaimed`, survivors are logged. */
  readonly reclaimed?: TerminationReport;
  /** Default time of a call, ms. Default 30,000. */
  readonly callTimeoutMs?: number;
  /** Events kept for replay. Default 10,000. */
  readonly logCapacity?: number;
  /** Calls that may park while a module without overlap is replaced. Default 1,000. */
  readonly maxParked?: number;
  /** How long a reload lets the calls of the old generation drain, ms. Default 30,000. */
  readonly drainMs?: number;
}

/** The host's handle on its modules. Disposing it shuts it down. */
export interface Kernel extends AsyncDisposable {
  readonly platform: Platform;
  readonly bus: Bus;
  readonly hooks: Hooks;
  /** `text()` gives all series as OpenMetrics text. */
  readonly metrics: Metrics & { text(): string };
  /** Registers a definition; nothing runs yet. `DUPLICATE_MODULE`, `INVALID_OPTIONS`, `KERNEL_CLOSED`. */
  register(definition: ModuleDefinition): Promise<void>;
  /** Loads a manifest or a bare file by path or URL, registers and starts it. */
  load(source: string | URL, options?: LoadOptions): Promise<Plugin>;
  init(id: string): Promise<void>;
  /** Starts modules and what they depend on, in parallel where the dependencies allow. No id: all. */
  start(...ids: readonly string[]): Promise<void>;
  /** Stops modules, dependents first. No id: all. */
  stop(...ids: readonly string[]): Promise<void>;
  /** Replaces a module by a new version, or by a new generation of the same. `RELOAD_FAILED` when the old one serves on. */
  reload(id: string, definition?: ModuleDefinition): Promise<void>;
  /** Stops and removes; what went wrong on the way is returned, not thrown. */
  unload(id: string): Promise<readonly KeelsonError[]>;
  invoke(id: string, method: string, payload?: Value, options?: CallOptions): Promise<Value>;
  invokeSync(id: string, method: string, payload?: Value): Value;
  stream(id: string, method: string, payload?: Value, options?: CallOptions): AsyncIterable<Value>;
  /** Asks the module's own health function, within 5,000 ms. */
  health(id: string): Promise<Health>;
  /** Never waits. Undefined for an unknown id. */
  state(id: string): ModuleState | undefined;
  list(): readonly ModuleStatus[];
  /** Makes the set of modules what `desired` says: adds, removes, reloads those whose version changed. Unknown ids are refused before anything changes. */
  reconcile(desired: readonly (string | ModuleDefinition)[]): Promise<ReconcileReport>;
  /** Runs `hook` around lifecycle operations of all modules. */
  phase(phase: Phase, hook: PhaseHook, options?: PhaseOptions): Disposable;
  /** Events kept by the bus's log, in the order (timestamp, id, source), behind `from` if given. */
  events(from?: Cursor): readonly Envelope[];
  /** What supervisors did, oldest first. */
  transitions(): readonly SupervisorTransition[];
  /** Ends all modules, dependents first. Never rejects; a second call joins the first. */
  shutdown(options?: ShutdownOptions): Promise<ShutdownReport>;
}

export interface LoadOptions {
  /** Register under this id instead of the manifest's own. */
  readonly id?: string;
  /** Do not start. Default: start. */
  readonly start?: boolean;
}

/** A loaded module, bound to its id. Disposing it unloads the module. */
export interface Plugin extends AsyncDisposable {
  readonly id: string;
  call(method: string, payload?: Value, options?: CallOptions): Promise<Value>;
  callSync(method: string, payload?: Value): Value;
}

/** One line of {@link Kernel.list}. */
export interface ModuleStatus {
  readonly metadata: ModuleMetadata;
  readonly state: ModuleState;
  readonly generation: number;
  readonly inFlight: number;
  readonly supervisor: SupervisorView | undefined;
  /** The last failure, if the module failed. */
  readonly error: KeelsonError | undefined;
}

export type PhaseStep = "load" | "start" | "stop" | "unload";
export type Phase = `${"pre" | "post"}-${PhaseStep}`;
export type PhaseHook = (info: { readonly phase: Phase; readonly metadata: ModuleMetadata }) => MaybePromise<void>;

export interface PhaseOptions {
  /** Higher runs first. Default 0. */
  readonly priority?: number;
  /** Its failure ends the operation with `PHASE_FAILED`; else it becomes an event and a metric. Default false. */
  readonly critical?: boolean;
}

export interface ReconcileReport {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly kept: readonly string[];
  readonly reloaded: readonly string[];
  readonly errors: readonly { readonly id: string; readonly error: KeelsonError }[];
}

export interface ShutdownOptions {
  /** After this the rest is ended without asking, ms. Default 10,000. */
  readonly timeoutMs?: number;
}

/** What a shutdown found. */
export interface ShutdownReport {
  /** Modules that were stopped. */
  readonly terminated: readonly string[];
  /** Processes that could not be ended. */
  readonly orphans: readonly ProcessInfo[];
  readonly errors: readonly { readonly id: string; readonly error: KeelsonError }[];
}

