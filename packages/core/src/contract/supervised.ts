import type { KeelsonError } from "./errors.ts";
import type { Exit, Health } from "./module.ts";

/** When an ended module is started again. `on-failure`: after a crash or a failed start; `always`: after a normal end as well. */
export type RestartPolicy = "never" | "on-failure" | "always";

/** How a supervisor treats one child. */
export interface RestartOptions {
  /** Default "never". */
  readonly policy?: RestartPolicy | undefined;
  /** Restarts allowed in a sliding window; one more and the supervisor gives up. Default 5 in 60,000 ms. */
  readonly intensity?: { readonly max: number; readonly withinMs: number } | undefined;
  /** How long it waits before each restart. */
  readonly backoff?: BackoffOptions | undefined;
  /** Looks at the child's health while it runs. Default: not at all. */
  readonly health?: HealthCheckOptions | undefined;
}

/** Waits between restarts: `initialMs × factor^(n−1)`, at most `maxMs`, spread by ± `jitter`. */
export interface BackoffOptions {
  /** Default 100. */
  readonly initialMs?: number | undefined;
  /** Default 2. */
  readonly factor?: number | undefined;
  /** Default 30,000. */
  readonly maxMs?: number | undefined;
  /** Share of the wait, 0 to 1. Default 0.2. */
  readonly jitter?: number | undefined;
}

/** How often a supervisor asks for a child's health, and what it makes of the answers. */
export interface HealthCheckOptions {
  /** Time before the first question and after each answer, ms. Default 30,000. */
  readonly everyMs?: number | undefined;
  /** Time to answer, ms. Default 5,000. */
  readonly timeoutMs?: number | undefined;
  /** Failures in a row that count as a crash. Default 3. */
  readonly failures?: number | undefined;
}

/**
 * What a supervisor learns about a child. `stopped` is a stop that somebody asked for; `exited` is all else.
 * `by` tells a stop of the supervisor's own (an unhealthy child) from anybody else's, which is what cancels restarts. Without it, the first
 * `stopped` during a stop of its own counts as the supervisor's. A stop by hand must be told even when the child has
 * stopped already: it cancels a pending restart.
 */
export type SupervisedEvent =
  | { readonly type: "starting" }
  | { readonly type: "started" }
  | { readonly type: "stopped"; readonly by?: "supervisor" | "other" }
  | { readonly type: "exited"; readonly exit: Exit };

/**
 * Anything a supervisor can look after: a module, and later a group or another supervisor.
 * A failed start is told as `exited`, whoever asked for it, besides `start` rejecting.
 */
export interface Supervised {
  readonly id: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  onEvent(run: (event: SupervisedEvent) => void): Disposable;
  /** Absent: always healthy. */
  health?(signal: AbortSignal): Promise<Health>;
}

/** The supervisor's view of a child. */
export type SupervisorState = "starting" | "healthy" | "failed" | "restarting" | "stopped";

/** One change of that view. `from` is undefined for the first. */
export interface SupervisorTransition {
  readonly id: string;
  readonly from: SupervisorState | undefined;
  readonly to: SupervisorState;
  /** 0 for the first start asked for; grows with every restart; back to 0 when somebody stops or starts the child by hand. */
  readonly attempt: number;
  /** Wall time, ms. */
  readonly at: number;
  /** Why, when `to` is "failed" or the supervisor gave up. */
  readonly error?: KeelsonError;
}

/** Restarts its children by policy, at every exit, within their intensity. Disposing it cancels pending restarts and stops nothing. */
export interface Supervisor extends Disposable {
  /** Looks after `child` until the handle is disposed, which also cancels a pending restart. */
  adopt(child: Supervised, options?: RestartOptions): Disposable;
  /** The last transitions, oldest first, at most 1000. */
  transitions(): readonly SupervisorTransition[];
  /** State, attempts and restarts of a child, if adopted. */
  view(id: string): SupervisorView | undefined;
}

/** How a child stands with its supervisor. */
export interface SupervisorView {
  readonly state: SupervisorState;
  readonly attempt: number;
  /** Restarts in all. */
  readonly restarts: number;
  /** True once the intensity was passed: only a start by hand goes on. */
  readonly gaveUp: boolean;
}
