import type { Call } from "../contract/call.ts";
import type { KeelsonError } from "../contract/errors.ts";
import type { Counter, Histogram, Metrics } from "../contract/metrics.ts";
import type { Exit, Health, ModuleContext, ModuleDefinition, ModuleState } from "../contract/module.ts";
import type { ModuleStatus } from "../contract/kernel.ts";
import type { Clock } from "../contract/platform.ts";
import { stopOf } from "../contract/usage.ts";
import type { Value } from "../contract/value.ts";
import { type ParsedQuarantine, parseQuarantine } from "../primitives/quarantine.ts";
import type { Life } from "../lifecycle/life.ts";
import { Lifecycle } from "../lifecycle/lifecycle.ts";
import type { Phases } from "../lifecycle/phases.ts";
import { stoppedEarly, transitions } from "../lifecycle/states.ts";
import type { DeadlineQueue } from "../primitives/deadline.ts";
import type { CallMeter } from "./call.ts";
import { StopGuard, type Trial } from "./stop-guard.ts";
import type { ContextHost } from "./context.ts";
import { Drains } from "./drains.ts";
import { checkHealth } from "./health.ts";
import { LifecycleLink } from "./lifecycle-link.ts";
import type { ParkedCalls } from "./parked.ts";
import { SupervisedEntry } from "./supervised-entry.ts";
import { summaryOf } from "./error-summary.ts";

/** What all entries of a kernel share. */
export interface EntryHost extends ContextHost {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  readonly phases: Phases;
  /** For modules that say nothing themselves; undefined: none is ever refused. */
  readonly quarantine: ParsedQuarantine | undefined;
  publish(topic: string, data: Value): void;
  /** A failure that no caller waits for; also taken into the shutdown report. */
  onFailure(id: string, error: KeelsonError): void;
}

/**
 * One registered module: the lifecycle that serves, the candidates and the retired ones beside it, and what is counted. To its supervisor it is one
 * child, whatever version serves.
 */
export class Entry implements CallMeter {
  readonly id: string;
  readonly #host: EntryHost;
  #active: Lifecycle;
  /** What a call may take at most, by the manifest of the version that serves, ms. */
  maxCallMs: number;
  #generation = 0;
  #duration: Histogram | undefined;
  #metrics: (Metrics & Disposable) | undefined;
  #errors: Map<string, Counter> | undefined;
  #parked: ParkedCalls | undefined;
  /** Made with the first stop of a guest in this generation. */
  #guard: StopGuard | undefined;
  /** Since when this generation serves: the stop of a call that began before says nothing of it. */
  #servesSince = 0;
  /** Calls may not pass straight on: they park, or are refused. One field, so that a call looks at no more. */
  #shut = false;
  /** The reload under way; the next waits for it. */
  reloading: { readonly candidate: Lifecycle; done: Promise<void>; stopped: boolean } | undefined;
  /** The unload under way; others join it. */
  unloading: Promise<readonly KeelsonError[]> | undefined;
  /** Why it may not be brought up any more. */
  refusal: KeelsonError | undefined;
  /** A stop that waits for those which depend on this module. */
  #laterStop: Promise<void> | undefined;
  #laterStops = 0;
  readonly drains: Drains;
  readonly child: SupervisedEntry = new SupervisedEntry(this);

  constructor(definition: ModuleDefinition, host: EntryHost) {
    this.id = definition.metadata.id;
    this.#host = host;
    this.drains = new Drains(this.id, host);
    this.#active = this.createLifecycle(definition);
    this.maxCallMs = maxCallMs(definition);
  }

  /** The lifecycle that serves, or would. */
  get active(): Lifecycle {
    return this.#active;
  }

  /** The generation that takes calls now; undefined while they park or are refused. */
  get open(): Life | undefined {
    return this.#shut ? undefined : this.#active.live;
  }

  /** Set while a reload without overlap goes on: calls wait here. */
  get parked(): ParkedCalls | undefined {
    return this.#parked;
  }

  set parked(parked: ParkedCalls | undefined) {
    this.#parked = parked;
    this.#reckonShut();
  }

  /**
   * Lets a call of a module in quarantine pass as its trial; undefined for a module that is not running or whose calls park.
   * @throws KeelsonError `MODULE_QUARANTINED`
   */
  admit(): { readonly life: Life; readonly trial: Trial } | undefined {
    const life = this.#active.live;
    const guard = this.#guard;
    if (this.#parked !== undefined || life === undefined || guard?.holds !== true) return undefined;
    return { life, trial: guard.admit() };
  }

  /**
   * The version that is about to be replaced, for a call made inside one that it is answering, or by itself over `from`: the reload waits for what it does,
   * so this call must not wait for the reload.
   */
  openInside(parent: Call | undefined, from?: ModuleContext): Life | undefined {
    if (this.#parked === undefined || this.quarantined) return undefined;
    if (from !== undefined && from === this.#active.live?.context) return this.#active.live;
    for (let at = parent; at !== undefined; at = at.parent)
      if (at.module === this.id) return this.#active.live;
    return undefined;
  }

  get quarantined(): boolean {
    return this.#guard?.holds === true;
  }

  get definition(): ModuleDefinition {
    return this.#active.definition;
  }

  get state(): ModuleState {
    return this.#active.state;
  }

  status(): ModuleStatus {
    return {
      metadata: this.definition.metadata,
      manifest: this.definition.manifest,
      state: this.#active.state,
      generation: this.#active.generation,
      inFlight: this.#active.live?.inFlight ?? 0,
      supervisor: this.child.view,
      error: this.#active.error,
      quarantine: this.#guard?.status,
    };
  }

  createLifecycle(definition: ModuleDefinition): Lifecycle {
    const lifecycle: Lifecycle = new Lifecycle(
      definition,
      new LifecycleLink(this, this.#host, () => lifecycle),
    );
    return lifecycle;
  }

  nextGeneration(): number {
    return ++this.#generation;
  }

  /** Makes `candidate` the one that serves: in one turn the doors of the old one shut and the new one's open. */
  swap(candidate: Lifecycle): Lifecycle {
    const old = this.#active;
    old.live?.context.deactivate();
    this.#active = candidate;
    this.#beginAnew();
    this.maxCallMs = maxCallMs(candidate.definition);
    candidate.live?.context.activate();
    return old;
  }

  /** Whether nothing of it runs, starts or ends, or waits to be started again. */
  get atRest(): boolean {
    const { state, ending } = this.#active;
    const still = (state === "loaded" || state === "stopped") && this.child.view?.state !== "restarting";
    return (
      still && ending === undefined && this.reloading === undefined && this.drains.retiring === undefined
    );
  }

  /** From now on nothing of it may be brought up, whoever wanted that before: it is to be removed, or the kernel ends. */
  refuse(reason: KeelsonError): void {
    this.refusal ??= reason;
    this.#active.rejectQueuedStart(reason);
  }

  init(): Promise<void> {
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    return this.reloading === undefined ? this.#active.init() : this.#afterReload((active) => active.init());
  }

  /** Starts what is active. A reload under way decides first what that is: the version that it stopped must not come to life beside the next. */
  start(): Promise<void> {
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    if (this.#laterStop !== undefined) return this.#afterStop(this.#laterStop);
    const waits = this.reloading !== undefined && this.state !== "running";
    return waits ? this.#afterReload((active) => active.start()) : this.#active.start();
  }

  async #afterStop(stop: Promise<void>): Promise<void> {
    const stops = this.#laterStops;
    await stop.catch(() => {});
    if (stops !== this.#laterStops) throw stoppedEarly(this.id);
    return this.start();
  }

  async #afterReload(then: (active: Lifecycle) => Promise<void>): Promise<void> {
    for (let reload = this.reloading; reload !== undefined; reload = this.reloading) {
      await reload.done;
      if (reload.stopped) throw stoppedEarly(this.id);
    }
    if (this.refusal !== undefined) throw this.refusal;
    return then(this.#active);
  }

  /** A stop that somebody other than the supervisor asked for, of replaced versions as well. */
  stop(): Promise<void> {
    this.child.stopAsked();
    const stopped = this.#active.stop();
    const { retiring } = this.drains;
    return retiring === undefined ? stopped : stopped.finally(() => Promise.all(retiring));
  }

  /** Takes note of a stop that comes once its dependents have ended: who asks for a start meanwhile wants one after it. */
  stopLater(stop: Promise<void>): Promise<void> {
    const noted = stop.finally(() => {
      if (this.#laterStop === noted) this.#laterStop = undefined;
    });
    this.#laterStops++;
    return (this.#laterStop = noted);
  }

  /** Whether it runs, and nobody has asked for its stop. */
  get staysUp(): boolean {
    return this.state === "running" && this.#laterStop === undefined;
  }

  /** The health of the version that serves, or of another. */
  health(signal?: AbortSignal, lifecycle: Lifecycle = this.#active): Promise<Health> {
    return checkHealth(this.id, lifecycle, this.#host, signal);
  }

  ended(ms: number, error: KeelsonError | undefined): void {
    (this.#duration ?? this.#openMeter()).observe(ms / 1000);
    if (error !== undefined) this.#countError(error, ms);
  }

  /** Else a guest that burns in a thread of its own would escape its quarantine whenever the caller's timer is the quicker. */
  endedLate(startedAt: number, thrown: unknown): void {
    if (this.#active.live !== undefined) this.#countStop(thrown, startedAt);
  }

  /** Takes the module's own series away. */
  close(): void {
    this.child.release();
    this.#metrics?.[Symbol.dispose]();
    this.#metrics = this.#duration = this.#errors = undefined;
  }

  /** A reload is over, whatever came of it. */
  endReload(): void {
    this.reloading = undefined;
    this.child.reloaded();
  }

  /** Called by a lifecycle of this entry, after its state is set. */
  transitioned(
    lifecycle: Lifecycle,
    from: ModuleState,
    to: ModuleState,
    generation: number,
    error: KeelsonError | undefined,
  ): void {
    const data: Record<string, Value> = {
      id: this.id,
      from,
      to,
      generation,
      version: lifecycle.definition.metadata.version,
    };
    if (error !== undefined) data["error"] = summaryOf(error);
    if (to === "initializing" && lifecycle === this.#active) this.#beginAnew();
    this.#host.publish(topics[to], data);
    if (lifecycle === this.#active) this.child.entered(from, to);
  }

  /** Called by a lifecycle of this entry when a start failed or the module ended by itself. */
  exited(lifecycle: Lifecycle, exit: Exit): void {
    if (lifecycle === this.#active) this.child.exited(exit);
  }

  #openMeter(): Histogram {
    this.#duration = this.#ownMetrics().histogram("keelson_call_duration_seconds", {
      help: "Time of calls from entry to end, failed ones included.",
      unit: "seconds",
    });
    return this.#duration;
  }

  #countError(error: KeelsonError, ms: number): void {
    this.#errors ??= new Map();
    let counter = this.#errors.get(error.code);
    if (counter === undefined) {
      counter = this.#ownMetrics().counter(
        "keelson_call_errors_total",
        { help: "Calls that failed, by code." },
        { code: error.code },
      );
      this.#errors.set(error.code, counter);
    }
    counter.add();
    this.#host.publish("module.call_failed", { id: this.id, ...summaryOf(error) });
    this.#countStop(error, this.#host.clock.now() - ms);
  }

  #countStop(error: unknown, startedAt: number): void {
    const stop = stopOf(error, this.id);
    if (stop !== undefined && startedAt >= this.#servesSince)
      (this.#guard ??= this.#createGuard()).stopped(stop, error as KeelsonError);
  }

  #ownMetrics(): Metrics {
    return (this.#metrics ??= this.#host.metrics.scoped({ module: this.id }));
  }

  #createGuard(): StopGuard {
    const { clock, publish, quarantine } = this.#host;
    const own = this.definition.quarantine;
    const options = own === undefined ? quarantine : own === false ? undefined : parseQuarantine(own);
    return new StopGuard(
      {
        id: this.id,
        clock,
        publish,
        metrics: () => this.#ownMetrics(),
        changed: (refusal) => {
          this.#reckonShut();
          if (refusal !== undefined) this.#active.live?.module?.refuseWaiting?.(refusal);
        },
      },
      options,
    );
  }

  /** What stops a generation brought about is not held against the next one. */
  #beginAnew(): void {
    const guard = this.#guard;
    this.#guard = undefined;
    this.#servesSince = this.#host.clock.now();
    guard?.end();
    this.#reckonShut();
  }

  #reckonShut(): void {
    this.#shut = this.#parked !== undefined || this.#guard?.holds === true;
  }
}

function maxCallMs({ manifest }: ModuleDefinition): number {
  return manifest?.limits.timeoutMs ?? Infinity;
}

/** The topic that tells of each state's being entered. */
const topics = Object.fromEntries(
  Object.keys(transitions).map((state) => [state, `module.${state === "running" ? "started" : state}`]),
) as Readonly<Record<ModuleState, string>>;
