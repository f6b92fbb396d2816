import { KeelsonError } from "../contract/errors.ts";
import type { Clock, Log, Random } from "../contract/platform.ts";
import type {
  RestartOptions,
  Supervised,
  Supervisor,
  SupervisorTransition,
  SupervisorView,
} from "../contract/supervised.ts";
import { Care } from "./care.ts";
import { requireFunction, requirePorts } from "../primitives/invalid-options.ts";

/** What a supervisor needs from its host. */
export interface SupervisorOptions {
  readonly clock: Clock;
  /** Spreads the waits between restarts. */
  readonly random: Random;
  readonly log: Log;
  /** Told of each transition at once, after the view has changed; what it throws is logged. */
  readonly onTransition?: (transition: SupervisorTransition) => void;
}

const MAX_TRANSITIONS = 1000;

/**
 * Makes a {@link Supervisor}. Adopt a child before it is started: the supervisor knows of it what its events tell. A child that was
 * healthy for at least `intensity.withinMs` begins its backoff anew at its next exit. All timers are background
 * timers: they keep no program alive.
 *
 * `adopt` throws `DUPLICATE_MODULE` for an id that is adopted already, `INVALID_OPTIONS` for options out of range.
 */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  requirePorts("createSupervisor", options, "clock", "random", "log");
  const { log, onTransition } = options;
  const cared = new Map<string, Care>();
  const recorded: SupervisorTransition[] = [];

  const record = (transition: SupervisorTransition): void => {
    recorded.push(transition);
    // In blocks, since shifting at each push would move the whole list.
    if (recorded.length > 2 * MAX_TRANSITIONS) recorded.splice(0, recorded.length - MAX_TRANSITIONS);
    try {
      onTransition?.(transition);
    } catch (error) {
      log.write("error", "A listener to supervisor transitions threw", { module: transition.id, error });
    }
  };

  return {
    adopt(child: Supervised, restart?: RestartOptions): Disposable {
      requireFunction("onEvent of a supervised child", child?.onEvent);
      if (cared.has(child.id)) {
        throw new KeelsonError("DUPLICATE_MODULE", `The supervisor looks after ${child.id} already`, {
          hint: "dispose the handle of its earlier adoption first",
          details: { id: child.id },
        });
      }
      const care = new Care(child, restart ?? {}, {
        clock: options.clock,
        random: options.random,
        log,
        record,
      });
      cared.set(child.id, care);
      return {
        [Symbol.dispose]() {
          care.end();
          if (cared.get(child.id) === care) cared.delete(child.id);
        },
      };
    },
    transitions: () => recorded.slice(-MAX_TRANSITIONS),
    view: (id: string): SupervisorView | undefined => cared.get(id)?.view(),
    [Symbol.dispose]() {
      for (const care of cared.values()) care.end();
      cared.clear();
    },
  };
}
