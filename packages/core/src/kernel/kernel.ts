import { createBus, createBusDoor, type BusDoor, type KernelBus } from "../bus/index.ts";
import { processLoader } from "../boundary/index.ts";
import type { Cursor, Envelope } from "../contract/bus.ts";
import type { CallOptions } from "../contract/call.ts";
import { asKeelsonError, KeelsonError, plainMessage, withoutFrames } from "../contract/errors.ts";
import type { Hooks } from "../contract/hooks.ts";
import type {
  Kernel,
  KernelOptions,
  LoadOptions,
  ModuleStatus,
  Phase,
  PhaseHook,
  PhaseOptions,
  Plugin,
  ReconcileReport,
  ShutdownOptions,
  ShutdownReport,
} from "../contract/kernel.ts";
import type { Health, ModuleDefinition, ModuleLoader, ModuleState } from "../contract/module.ts";
import type { Platform, ProcessInfo, TerminationReport } from "../contract/platform.ts";
import type { Relief } from "../contract/pool.ts";
import type { Supervisor, SupervisorTransition } from "../contract/supervised.ts";
import type { Measured, MeasureOptions } from "../contract/usage.ts";
import type { Value } from "../contract/value.ts";
import { createHooks, type KernelHooks } from "../hooks/index.ts";
import { Phases } from "../lifecycle/phases.ts";
import { createMetrics, type MetricsRegistry } from "../metrics/index.ts";
import { DeadlineQueue } from "../primitives/deadline.ts";
import { given } from "../primitives/given.ts";
import {
  invalidOptions,
  isObject,
  requireOptions,
  requirePorts,
  requireRange,
} from "../primitives/invalid-options.ts";
import { parseQuarantine } from "../primitives/quarantine.ts";
import { createSupervisor } from "../supervisor/index.ts";
import { checkDefinition, checkQuarantine } from "./definition.ts";
import { dependents, startOrder } from "./dependencies.ts";
import { Entry, type EntryHost } from "./entry.ts";
import { loadDefinition, withId } from "./load.ts";
import { nativeLoader } from "./native.ts";
import { reconcile } from "./reconcile.ts";
import { reload, type ReloadHost } from "./reload.ts";
import { Router } from "./router.ts";
import { exposeModules } from "./series.ts";
import { shutDown, type ShutdownHost } from "./shutdown.ts";
import { startAll } from "./starting.ts";
import { allOf, definitionsOf, stopAll } from "./stopping.ts";
import { messageLength, summaryOf } from "./error-summary.ts";

const KERNEL_OPTIONS = {
  platform: true,
  loaders: true,
  reclaimed: true,
  callTimeoutMs: 0,
  logCapacity: 0,
  maxParked: 0,
  drainMs: 0,
  quarantine: true,
} as const;

/** Failures kept for the shutdown report at most. */
const MAX_FAILURES = 1_000;

/**
 * Makes a kernel on a platform. Hosts call the `createKernel` of their runtime's adapter, which binds the platform.
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export function createKernel(options: KernelOptions): Kernel {
  requirePorts("createKernel", options?.platform, "clock", "random", "log");
  // A copy has no holes.
  const { loaders = [], reclaimed, quarantine } = options;
  if (!Array.isArray(loaders) || ![...loaders].every(isLoader))
    throw invalidOptions("loaders is no array of loaders", "each has a kind and a function load");
  if (reclaimed !== undefined && !(isProcessList(reclaimed?.ended) && isProcessList(reclaimed.orphans)))
    throw invalidOptions("reclaimed is no report", "give what the platform's processes.reclaim() answers");
  requireOptions("kernel", options, KERNEL_OPTIONS, Infinity);
  checkQuarantine("kernel.quarantine", quarantine);
  return new KeelsonKernel(options);
}

function isLoader(loader: ModuleLoader): boolean {
  return typeof loader?.kind === "string" && typeof loader.load === "function";
}

function isProcessList(list: unknown): boolean {
  return Array.isArray(list) && [...list].every(isObject);
}

/**
 * Wires the parts together, and keeps the list of modules. Each is an {@link Entry}, in which its versions take turns; calls find their way by the
 * {@link Router}; what takes several steps (loading, starting, stopping, reloading, the shutdown) has a file of its own beside this one.
 */
class KeelsonKernel implements Kernel {
  readonly platform: Platform;
  readonly metrics: MetricsRegistry;
  /** The host's door: it may hear everything, and publish on all topics but the kernel's own. */
  readonly bus: BusDoor;
  readonly #bus: KernelBus;
  readonly #hooks: KernelHooks;
  readonly #entries: Map<string, Entry> = new Map();
  readonly #loaders: Map<string, ModuleLoader> = new Map();
  readonly #phases: Phases;
  readonly #deadlines: DeadlineQueue;
  readonly #router: Router;
  readonly #supervisor: Supervisor;
  readonly #entryHost: EntryHost;
  readonly #reloadHost: ReloadHost;
  /** What went wrong where nobody waited, for the shutdown report. */
  readonly #failures: { readonly id: string; readonly error: KeelsonError }[] = [];
  #shutdown: Promise<ShutdownReport> | undefined;
  /** The bus is closed. */
  #over = false;

  constructor(options: KernelOptions) {
    const { platform, maxParked = 1_000 } = options;
    const { clock, random, log } = platform;
    this.platform = platform;
    this.metrics = createMetrics();
    this.#bus = createBus({
      clock,
      random,
      log,
      metrics: this.metrics,
      logCapacity: options.logCapacity ?? 10_000,
    });
    this.bus = createBusDoor(this.#bus, { source: "host", live: true });
    this.#hooks = createHooks({ clock, log, metrics: this.metrics });
    this.#deadlines = new DeadlineQueue(clock, true);
    this.#router = new Router(this.#entries, clock, this.#deadlines, options.callTimeoutMs ?? 30_000);
    for (const loader of [nativeLoader, processLoader, ...(options.loaders ?? [])])
      this.#loaders.set(loader.kind, loader);
    // What ends after a shutdown that ran out of time has nobody left to tell.
    const publish = (topic: string, data: Value): void => {
      if (!this.#over) this.#bus.publish(topic, data, messageLength(data));
    };
    const onFailure = (id: string, error: KeelsonError): void => {
      // They are kept, and would keep what failed.
      if (this.#failures.length < MAX_FAILURES) this.#failures.push({ id, error: withoutFrames(error) });
      log.write("warn", error.message, { module: id, code: error.code });
      publish("module.warning", { id, ...summaryOf(error) });
    };
    this.#phases = new Phases((phase, { id }, error) => {
      this.metrics
        .counter(
          "keelson_phase_failures_total",
          { help: "Lifecycle hooks that failed without being critical." },
          { phase },
        )
        .add();
      publish("module.phase_failed", { id, phase, ...summaryOf(error) });
    });
    this.#supervisor = createSupervisor({
      clock,
      random,
      log,
      onTransition: ({ id, from, to, attempt, error }) => {
        publish(`supervisor.${to}`, {
          id,
          from,
          to,
          attempt,
          ...given({ error: error && summaryOf(error) }),
        });
      },
    });
    this.#entryHost = {
      platform,
      clock,
      deadlines: this.#deadlines,
      phases: this.#phases,
      metrics: this.metrics,
      bus: this.#bus,
      hooks: this.#hooks,
      router: this.#router,
      quarantine: options.quarantine === false ? undefined : parseQuarantine(options.quarantine ?? {}),
      publish,
      onFailure,
    };
    this.#reloadHost = {
      ...this.#entryHost,
      drainMs: options.drainMs ?? 30_000,
      maxParked,
      hold: (id, door) => (door === "bus" ? this.#bus : this.#hooks).hold(id, maxParked),
      onSwap: (entry) => entry.child.putUnder(this.#supervisor),
    };
    exposeModules(this.#entries, this.metrics);
    if (options.reclaimed !== undefined) this.#tellReclaimed(options.reclaimed);
  }

  get hooks(): Hooks {
    return this.#hooks;
  }

  async register(definition: ModuleDefinition): Promise<void> {
    this.#checkOpen();
    checkDefinition(definition);
    const { metadata } = definition;
    this.#checkNew(metadata.id);
    const before = this.#phases.run("pre-load", metadata);
    if (before !== undefined) {
      await before;
      this.#checkOpen();
      this.#checkNew(metadata.id);
    }
    const entry = new Entry(definition, this.#entryHost);
    this.#entries.set(entry.id, entry);
    entry.child.putUnder(this.#supervisor);
    this.#entryHost.publish("module.loaded", {
      id: entry.id,
      version: metadata.version,
      kind: metadata.kind,
    });
    const after = this.#phases.run("post-load", metadata);
    if (after === undefined) return;
    try {
      await after;
    } catch (error) {
      // A critical hook refused it: the load is undone, also if somebody has started it meanwhile.
      if (this.#entries.get(entry.id) === entry) await this.#remove(entry);
      throw error;
    }
  }

  async load(source: string | URL, options?: LoadOptions): Promise<Plugin> {
    this.#checkOpen();
    requireOptions("load", options, { id: "string", start: "boolean" });
    const loaded = await loadDefinition(source, this.#loaders, this.platform);
    const { id = loaded.metadata.id } = options ?? {};
    const definition = withId(loaded, id);
    await this.register(definition);
    const entry = this.#entries.get(id);
    // Somebody else may have unloaded it meanwhile, and registered another under its id.
    const isThere = (): boolean => entry !== undefined && this.#entries.get(id) === entry;
    if (options?.start !== false) {
      try {
        await this.start(id);
      } catch (error) {
        // Also where a hook refuses that: a plugin that did not start must not stay.
        if (isThere()) await this.unload(id).catch(() => this.#remove(entry as Entry));
        throw error;
      }
    }
    return {
      id,
      call: (method, payload, callOptions) => this.invoke(id, method, payload, callOptions),
      callSync: (method, payload) => this.invokeSync(id, method, payload),
      [Symbol.asyncDispose]: async () => {
        if (isThere()) await this.unload(id);
      },
    };
  }

  async init(id: string): Promise<void> {
    const entry = this.#router.find(id);
    this.#checkOpen();
    await entry.init();
  }

  async start(...ids: readonly string[]): Promise<void> {
    const wanted = ids.length === 0 ? [...this.#entries.keys()] : ids;
    await allOf(startAll(this.#entries, wanted, () => this.#checkOpen()));
  }

  async stop(...ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#router.find(id);
    await allOf(stopAll(this.#entries, ids.length === 0 ? [...this.#entries.keys()] : ids));
  }

  async reload(id: string, version?: ModuleDefinition | string | URL): Promise<void> {
    this.#checkOpen();
    let entry = this.#router.find(id);
    let next = entry.definition;
    if (typeof version === "string" || version instanceof URL) {
      next = await loadDefinition(version, this.#loaders, this.platform);
      this.#checkOpen();
      entry = this.#router.find(id);
      // A plugin that was loaded under an id of the host's keeps it.
      if (next.metadata.id === entry.definition.manifest?.id) next = withId(next, id);
    } else if (version !== undefined) next = version;
    checkDefinition(next);
    if (next.metadata.id !== id) {
      throw invalidOptions(
        `"${id}" cannot be replaced by "${next.metadata.id}"`,
        "a new version keeps its id; register() another module instead",
      );
    }
    this.#checkFit(next);
    const needs = Object.keys(next.depends ?? {});
    if (needs.length > 0 && !entry.atRest) await this.start(...needs);
    await reload(entry, next, this.#reloadHost);
  }

  async unload(id: string): Promise<readonly KeelsonError[]> {
    const entry = this.#router.find(id);
    const unloading = (entry.unloading ??= this.#unload(entry));
    try {
      return await unloading;
    } finally {
      // A hook may have refused it.
      entry.unloading = undefined;
    }
  }

  async #unload(entry: Entry): Promise<readonly KeelsonError[]> {
    const { id } = entry;
    const { metadata } = entry.definition;
    await this.#phases.run("pre-unload", metadata);
    const errors = await this.#remove(entry);
    this.#entryHost.publish("module.unloaded", { id });
    await Promise.resolve(this.#phases.run("post-unload", metadata)).catch((error: unknown) =>
      errors.push(error as KeelsonError),
    );
    return errors;
  }

  /** Stops a module and takes it off the list; answers why its stop failed. */
  async #remove(entry: Entry): Promise<KeelsonError[]> {
    const { id } = entry;
    const errors: KeelsonError[] = [];
    entry.refuse(removed(id));
    for (const [other, stop] of stopAll(this.#entries, [id])) {
      await stop.catch((error: unknown) => {
        if (other === id) errors.push(error as KeelsonError);
        else this.#entryHost.onFailure(other, error as KeelsonError);
      });
    }
    this.#entries.delete(id);
    entry.close();
    this.#hooks.forget(id);
    return errors;
  }

  invoke(id: string, method: string, payload?: Value, options?: CallOptions): Promise<Value> {
    return this.#router.invoke(id, method, payload, options, undefined);
  }

  invokeSync(id: string, method: string, payload?: Value): Value {
    return this.#router.invokeSync(id, method, payload, undefined);
  }

  measure(id: string, method: string, payload?: Value, options?: MeasureOptions): Promise<Measured> {
    return this.#router.measure(id, method, payload, options);
  }

  stream(id: string, method: string, payload?: Value, options?: CallOptions): AsyncIterable<Value> {
    return this.#router.stream(id, method, payload, options);
  }

  relieve(id?: string, bytes: number = Infinity): Relief {
    requireRange("bytes", bytes, 0, Infinity);
    let instances = 0;
    let given = 0;
    for (const entry of id === undefined ? this.#entries.values() : [this.#router.find(id)]) {
      try {
        const relief = entry.active.live?.module?.relieve?.(bytes - given);
        instances += relief?.instances ?? 0;
        given += relief?.bytes ?? 0;
      } catch (error) {
        // The others are asked all the same.
        this.#entryHost.onFailure(entry.id, asKeelsonError(error, "MODULE_FAILED", "relieve() failed"));
      }
      if (given >= bytes) break;
    }
    return { instances, bytes: given };
  }

  async health(id: string): Promise<Health> {
    const entry = this.#router.find(id);
    try {
      return await entry.health();
    } catch (error) {
      const message = plainMessage(asKeelsonError(error, "UNHEALTHY", "the health check failed"));
      return { healthy: false, message };
    }
  }

  state(id: string): ModuleState | undefined {
    return this.#entries.get(id)?.state;
  }

  list(): readonly ModuleStatus[] {
    return [...this.#entries.values()].map((entry) => entry.status());
  }

  async reconcile(desired: readonly (string | ModuleDefinition)[]): Promise<ReconcileReport> {
    this.#checkOpen();
    return reconcile(this, this.#entries, desired);
  }

  phase(phase: Phase, hook: PhaseHook, options?: PhaseOptions): Disposable {
    return this.#phases.add(phase, hook, options);
  }

  events(from?: Cursor): readonly Envelope[] {
    return this.#bus.events(from);
  }

  transitions(): readonly SupervisorTransition[] {
    return this.#supervisor.transitions();
  }

  async shutdown(options?: ShutdownOptions): Promise<ShutdownReport> {
    const { timeoutMs = 10_000 } = options ?? {};
    requireOptions("shutdown", options, { timeoutMs: 0 }, Infinity);
    return (this.#shutdown ??= this.#shutDown(timeoutMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  #shutDown(timeoutMs: number): Promise<ShutdownReport> {
    this.#supervisor[Symbol.dispose]();
    const host: ShutdownHost = {
      entries: this.#entries,
      bus: this.#bus,
      deadlines: this.#deadlines,
      clock: this.platform.clock,
      failures: this.#failures,
      refusal: closed(),
      onOver: () => (this.#over = true),
    };
    return shutDown(host, timeoutMs);
  }

  #tellReclaimed({ ended, orphans }: TerminationReport): void {
    if (ended.length + orphans.length === 0) return;
    const plain = (list: readonly ProcessInfo[]): Value => list.map(({ pid, command }) => ({ pid, command }));
    this.#bus.publish("kernel.reclaimed", { ended: plain(ended), orphans: plain(orphans) });
    for (const { pid, command } of orphans) {
      this.platform.log.write("warn", "A process that a dead host had left behind could not be ended", {
        pid,
        command,
      });
    }
  }

  #checkOpen(): void {
    if (this.#shutdown !== undefined) throw closed();
  }

  #checkNew(id: string): void {
    if (!this.#entries.has(id)) return;
    throw new KeelsonError("DUPLICATE_MODULE", `A module "${id}" is registered already`, {
      hint: `reload("${id}", definition) replaces it; unload("${id}") removes it`,
      details: { id },
    });
  }

  /** A new version must find what it depends on, and fit what those that are up ask of it. */
  #checkFit(next: ModuleDefinition): void {
    const { id } = next.metadata;
    for (const up of [id, ...(dependents(definitionsOf(this.#entries)).get(id) ?? [])]) {
      if (this.#router.find(up).atRest) continue;
      startOrder([up], (wanted) => (wanted === id ? next : this.#entries.get(wanted)?.definition));
    }
  }
}

function closed(): KeelsonError {
  return new KeelsonError("KERNEL_CLOSED", "The kernel is shutting down or shut down", {
    hint: "create a new kernel",
  });
}

function removed(id: string): KeelsonError {
  return new KeelsonError("UNKNOWN_MODULE", `Module "${id}" was unloaded`, { details: { id } });
}
