import type { ModuleState } from "./module.ts";
import type { SupervisorState } from "./supervised.ts";
import type { Value } from "./value.ts";

// Type aliases throughout: unlike interfaces they are plain data, which is what the bus carries.

/** An error as it travels on the bus. */
export type EventError = { readonly code: string; readonly message: string };

/** A module entered a state: `module.initializing`, `.initialized`, `.starting`, `.started`, `.stopping`, `.stopped`, `.failed`. */
export type ModuleStateEvent = {
  readonly id: string;
  readonly from: ModuleState;
  readonly to: ModuleState;
  /** Numbered from 1. */
  readonly generation: number;
  readonly version: string;
  /** Set when the state was entered through a failure. */
  readonly error?: EventError;
};

/** What every topic that begins with `module` carries at least; the rest depends on the topic. */
export type AnyModuleEvent = {
  readonly id: string;
  readonly generation?: number;
  readonly version?: string;
  readonly error?: EventError;
  readonly [more: string]: Value;
};

/** A failure told of one module: `module.call_failed`, `module.warning`. */
export type ModuleFailureEvent = { readonly id: string; readonly code: string; readonly message: string };

/** A supervisor's view of a module changed: `supervisor.*`. */
export type SupervisorEvent = {
  readonly id: string;
  readonly from: SupervisorState | undefined;
  readonly to: SupervisorState;
  readonly attempt: number;
  readonly error?: EventError;
};

type ProcessEvent = { readonly pid: number; readonly command: string };

/** What the kernel itself publishes, by topic or pattern. */
export type KernelTopics = {
  "kernel.reclaimed": { readonly ended: readonly ProcessEvent[]; readonly orphans: readonly ProcessEvent[] };
  "kernel.stopping": { readonly [none: string]: never };
  /** `terminated` are ids, `errors` is their number. */
  "kernel.stopped": {
    readonly terminated: readonly string[];
    readonly orphans: readonly ProcessEvent[];
    readonly errors: number;
  };
  "module.*": AnyModuleEvent;
  "module.loaded": { readonly id: string; readonly version: string; readonly kind: string };
  "module.initializing": ModuleStateEvent;
  "module.initialized": ModuleStateEvent;
  "module.starting": ModuleStateEvent;
  "module.started": ModuleStateEvent;
  "module.stopping": ModuleStateEvent;
  "module.stopped": ModuleStateEvent;
  "module.failed": ModuleStateEvent;
  "module.unloaded": { readonly id: string };
  /** `from` and `to` are versions. */
  "module.reloaded": {
    readonly id: string;
    readonly from: string;
    readonly to: string;
    readonly generation: number;
  };
  /** `cause` is a code; `serving` says whether the old version serves on. */
  "module.reload_failed": {
    readonly id: string;
    readonly version: string;
    readonly serving: boolean;
    readonly cause: string;
    readonly error: EventError;
  };
  "module.call_failed": ModuleFailureEvent;
  "module.warning": ModuleFailureEvent;
  "module.phase_failed": ModuleFailureEvent & { readonly phase: string };
  "module.quarantined": ModuleFailureEvent & { readonly lasts_ms: number; readonly failed_trials: number };
  "module.released": {
    readonly id: string;
    readonly by: "trial" | "new-generation";
    readonly failed_trials: number;
    readonly refused: number;
  };
  "supervisor.*": SupervisorEvent;
  "supervisor.starting": SupervisorEvent;
  "supervisor.healthy": SupervisorEvent;
  "supervisor.failed": SupervisorEvent;
  "supervisor.restarting": SupervisorEvent;
  "supervisor.stopped": SupervisorEvent;
};
