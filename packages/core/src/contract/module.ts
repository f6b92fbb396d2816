import type { Bus } from "./bus.ts";
import type { Call, CallOptions } from "./call.ts";
import type { KeelsonError } from "./errors.ts";
import type { HookRegistry } from "./hooks.ts";
import type { Manifest } from "./manifest.ts";
import type { Metrics } from "./metrics.ts";
import type { Clock, Log, Platform, Random } from "./platform.ts";
import type { Relief } from "./pool.ts";
import type { QuarantineOptions } from "./quarantine.ts";
import type { RestartOptions } from "./supervised.ts";
import type { MaybePromise, Value } from "./value.ts";

/** What kind of code a module is. Open: further kinds plug in by a {@link ModuleLoader}, with no change in core. */
export type ModuleKind = "native" | "wasm" | "process" | (string & {});

/** Who a module is. */
export interface ModuleMetadata {
  /** Unique in a kernel: 1 to 64 of a–z, 0–9, `-`, `_`, `.`, beginning with a letter or digit, and neither `kernel` nor `host`. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Semantic version. */
  readonly version: string;
  readonly kind: ModuleKind;
  readonly description?: string | undefined;
}

/** States of a module; the table of transitions is in `lifecycle/states.ts`. */
export type ModuleState =
  | "loaded"
  | "initializing"
  | "initialized"
  | "starting"
  | "running"
  | "stopping"
  | "stopped"
  | "failed";

/**
 * What is registered. It outlives the generations: each life of the module is what {@link ModuleDefinition.create} returns.
 */
export interface ModuleDefinition {
  readonly metadata: ModuleMetadata;
  /** Modules that must run before this one starts: id → semver range ("*" for any). */
  readonly depends?: Readonly<Record<string, string>> | undefined;
  /** Default: never restarted. */
  readonly restart?: RestartOptions | undefined;
  /** Whether a reload may run the new version beside the old one. Default true; false for process modules. */
  readonly overlap?: boolean | undefined;
  readonly deadlines?: Deadlines | undefined;
  /** When it is refused because its guest was stopped too often; false for never. Default: the kernel's. */
  readonly quarantine?: QuarantineOptions | false | undefined;
  /** The manifest it came from, if any: its hooks are added to each generation. */
  readonly manifest?: Manifest | undefined;
  /** Makes a new generation. Called once for each; must not share state between them. */
  create(): MaybePromise<Module>;
}

/** How long each lifecycle function may take, ms. */
export interface Deadlines {
  /** Default 10,000. */
  readonly initMs?: number | undefined;
  /** Default 10,000. */
  readonly startMs?: number | undefined;
  /** Default 5,000. */
  readonly stopMs?: number | undefined;
}

/**
 * One life of a module. All functions are optional. The context's signal may fire while one runs: then stop what you are
 * doing. The kernel guarantees the order init → start → stop, and that none is called twice in a generation.
 */
export interface Module {
  init?(context: ModuleContext): MaybePromise<void>;
  start?(context: ModuleContext): MaybePromise<void>;
  stop?(context: ModuleContext): MaybePromise<void>;
  /** Answers a call; a plain value is the fast path. */
  call?(call: Call): MaybePromise<Value>;
  /**
   * Answers a call whose `measurement` asks for a record, on something never used before; leaves the record in `measurement.recorded`, also when the
   * call fails. Absent means that the module cannot be recorded.
   */
  record?(call: Call): MaybePromise<Value>;
  /** Answers a call with a stream of values. */
  stream?(call: Call): AsyncIterable<Value>;
  /**
   * How long after a call's deadline its answer may still come, ms: an error that says how its guest was stopped is what the caller gets then. After that
   * the guest counts as stopped, so what only waited for its turn must fail at once when the signal fires. Absent: the deadline is the end.
   */
  readonly stopReportMs?: number;
  /** The module is refused from now on: calls that wait for their turn are to fail with `error`; those that are being answered go on. */
  refuseWaiting?(error: KeelsonError): void;
  /** Memory is short: gives back what nobody uses now until `bytes` of it are given back, and says how much that was. Must not wait, nor throw. */
  relieve?(bytes: number): Relief;
  /** Says whether the module is fit to serve. Absent means: healthy while running. */
  health?(call: Call): MaybePromise<Health>;
}

/** The answer of a health check. */
export interface Health {
  readonly healthy: boolean;
  readonly message?: string;
}

/** What a module gets from the kernel: one for each generation. All of it ends with the generation. */
export interface ModuleContext {
  readonly id: string;
  /** 1 for the first life, growing. */
  readonly generation: number;
  /** Fires when the generation is to end. */
  readonly signal: AbortSignal;
  /** What is added here is undone in reverse when the generation ends, however it ends. */
  readonly scope: Scope;
  readonly clock: Clock;
  readonly random: Random;
  /** Records carry the module's id. */
  readonly log: Log;
  /** Instruments carry the label `module`. */
  readonly metrics: Metrics;
  /** A door: subscriptions end with the generation, and a closed door answers `DOOR_CLOSED`. */
  readonly bus: Bus;
  /** Handlers added here end with the generation; they go live when the module is running. */
  readonly hooks: HookRegistry;
  /** The host's adapter, for kinds that need a port. Never handed to guests. */
  readonly platform: Platform;
  /** Calls another module on this module's own behalf, outside any call. */
  invoke(id: string, method: string, payload?: Value, options?: CallOptions): Promise<Value>;
  /** Tells the kernel that the module has ended by itself. Only the first one counts. */
  exited(exit: Exit): void;
}

/** How a module ended without having been asked to. */
export interface Exit {
  readonly reason: "normal" | "crash";
  /** Why; what calls in flight fail with. A normal end may have one, too. */
  readonly error?: KeelsonError;
}

/** Undoes in reverse order what was added, however things end. */
export interface Scope {
  /** Disposes `resource` when the scope ends; gives it back. In an ended scope it is disposed at once. */
  add<T extends Disposable | AsyncDisposable>(resource: T): T;
  /** Runs `undo` when the scope ends. */
  defer(undo: () => MaybePromise<void>): void;
}

/** Turns manifests of one kind into definitions. */
export interface ModuleLoader {
  readonly kind: ModuleKind;
  /** Whether `load` checks a manifest's `integrity` against the code it loads. Default false: such a manifest is refused. */
  readonly verifiesIntegrity?: boolean;
  /** Endings of bare files that this loader takes without a manifest, such as `.wasm`. */
  readonly extensions?: readonly string[];
  /**
   * Makes a definition; starts nothing. What the manifest says of `depends`, `restart` and `overlap` is to be carried over; its hooks and its
   * `limits.timeoutMs` are seen to by the kernel.
   * @param base what relative paths of the manifest are resolved against: its own URL, or that of a bare file
   * @throws KeelsonError with a code of the kind's own; nothing may be left behind
   */
  load(manifest: Manifest, base: URL, platform: Platform): Promise<ModuleDefinition>;
}
