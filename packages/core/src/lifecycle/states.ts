import { KeelsonError } from "../contract/errors.ts";
import type { ModuleState } from "../contract/module.ts";
import { invalidOptions, shown } from "../primitives/invalid-options.ts";

/** What can happen to a module: three requests, then how a step ended (`done`, `error`) and how the module ended by itself (`crash`, `end`). */
export type Trigger = "init" | "start" | "stop" | "done" | "error" | "crash" | "end";

/**
 * How a state answers a trigger. `then: "starting"`: the start goes on by itself once the first step is done. `aborts`: what is
 * under way is given up, not waited for.
 */
export type Reaction =
  | { readonly do: "enter"; readonly to: ModuleState; readonly then?: "starting"; readonly aborts?: true }
  | { readonly do: "join"; readonly then?: "starting" }
  | { readonly do: "queue" }
  | { readonly do: "nothing" }
  | { readonly do: "refuse" };

const enter = (to: ModuleState): Reaction => ({ do: "enter", to });
const nothing: Reaction = { do: "nothing" };
const refuse: Reaction = { do: "refuse" };
const join: Reaction = { do: "join" };
const begin: Reaction = { do: "enter", to: "initializing", then: "starting" };
const fail = enter("failed");
const abort: Reaction = { do: "enter", to: "stopping", aborts: true };

type Row = Readonly<Record<Trigger, Reaction>>;

/** Before the first generation, and between two. */
const atRest: Row = {
  init: enter("initializing"),
  start: begin,
  stop: nothing,
  done: nothing,
  error: nothing,
  crash: nothing,
  end: nothing,
};

/**
 * The one table of the lifecycle. `done` and `error` settle the step under way (a time-out is an error); `crash` and `end` are the
 * module's own exits. An exit while stopping is what the stop was for.
 */
export const transitions: Readonly<Record<ModuleState, Row>> = {
  loaded: atRest,
  stopped: atRest,
  failed: { ...atRest, stop: enter("stopped") },
  initializing: {
    init: join,
    start: { do: "join", then: "starting" },
    stop: abort,
    done: enter("initialized"),
    error: fail,
    crash: fail,
    end: fail,
  },
  initialized: {
    init: nothing,
    start: enter("starting"),
    stop: enter("stopping"),
    done: nothing,
    error: nothing,
    crash: fail,
    end: fail,
  },
  starting: {
    init: refuse,
    start: join,
    stop: abort,
    done: enter("running"),
    error: fail,
    crash: fail,
    end: fail,
  },
  running: {
    init: refuse,
    start: nothing,
    stop: enter("stopping"),
    done: nothing,
    error: nothing,
    crash: fail,
    end: enter("stopped"),
  },
  stopping: {
    init: refuse,
    start: { do: "queue" },
    stop: join,
    done: enter("stopped"),
    error: fail,
    crash: nothing,
    end: nothing,
  },
};

/** The requests that `state` does not refuse. @throws KeelsonError `INVALID_OPTIONS` for what is no state */
export function allowedIn(state: ModuleState): readonly Trigger[] {
  if (typeof state !== "string" || !Object.hasOwn(transitions, state))
    throw invalidOptions(`${shown(state)} is no state of a module`, "give one that kernel.state() answers");
  return (["init", "start", "stop"] as const).filter(
    (trigger) => transitions[state][trigger].do !== "refuse",
  );
}

/** The error of a refused request: names the state, what was asked for, and what is allowed. */
export function illegalTransition(id: string, state: ModuleState, trigger: Trigger): KeelsonError {
  const allowed = allowedIn(state);
  return new KeelsonError("ILLEGAL_TRANSITION", `Module "${id}" is ${state}: it cannot ${trigger} now`, {
    hint: `in this state ${allowed.join(" and ")} ${allowed.length === 1 ? "is" : "are"} allowed`,
    details: { id, state, trigger, allowed },
  });
}

/** The error of a start that a stop cut short. */
export function stoppedEarly(id: string): KeelsonError {
  return new KeelsonError("ABORTED", `Module "${id}" was stopped before it was up`, {
    hint: `somebody called stop("${id}") meanwhile; start it again if that was not meant`,
    details: { id },
  });
}
