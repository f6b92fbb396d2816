import { asKeelsonError, KeelsonError, plainMessage } from "../contract/errors.ts";
import type { Phase, PhaseHook, PhaseOptions } from "../contract/kernel.ts";
import type { ModuleMetadata } from "../contract/module.ts";
import type { MaybePromise } from "../contract/value.ts";
import { invalidOptions, requireOptions, shown } from "../primitives/invalid-options.ts";

interface Registered {
  readonly hook: PhaseHook;
  readonly priority: number;
  readonly critical: boolean;
}

const PHASE = /^(pre|post)-(load|start|stop|unload)$/;

/** Hooks around the lifecycle's operations, of all modules: pre and post × load, start, stop, unload; higher priority first. */
export class Phases {
  readonly #hooks: Map<Phase, Registered[]> = new Map();
  readonly #onFailure: (phase: Phase, metadata: ModuleMetadata, error: KeelsonError) => void;

  /** @param onFailure told of each hook that failed without being critical */
  constructor(onFailure: (phase: Phase, metadata: ModuleMetadata, error: KeelsonError) => void) {
    this.#onFailure = onFailure;
  }

  add(phase: Phase, hook: PhaseHook, options?: PhaseOptions): Disposable {
    if (typeof hook !== "function" || typeof phase !== "string" || !PHASE.test(phase)) {
      throw invalidOptions(
        `${shown(phase)} is no phase, or its hook no function`,
        "phases are pre- or post-, with load, start, stop or unload",
      );
    }
    const { priority = 0, critical = false } = options ?? {};
    requireOptions("phase", options, { priority: -Infinity, critical: "boolean" }, Infinity);
    const registered: Registered = { hook, priority, critical };
    // Copied on write, so that a run under way keeps its list.
    const before = this.#hooks.get(phase) ?? [];
    this.#hooks.set(
      phase,
      [...before, registered].sort((a, b) => b.priority - a.priority),
    );
    return {
      [Symbol.dispose]: () => {
        const rest = (this.#hooks.get(phase) ?? []).filter((other) => other !== registered);
        if (rest.length > 0) this.#hooks.set(phase, rest);
        else this.#hooks.delete(phase);
      },
    };
  }

  /**
   * Runs the hooks of a phase in order, each after the one before; undefined when there are none.
   * @throws KeelsonError `PHASE_FAILED` when a critical one failed; those behind it do not run
   */
  run(phase: Phase, metadata: ModuleMetadata): MaybePromise<void> {
    const hooks = this.#hooks.get(phase);
    return hooks === undefined ? undefined : this.#run(phase, metadata, hooks);
  }

  async #run(phase: Phase, metadata: ModuleMetadata, hooks: readonly Registered[]): Promise<void> {
    for (const { hook, critical } of hooks) {
      try {
        await hook({ phase, metadata });
      } catch (thrown) {
        const what = `A ${phase} hook failed for module "${metadata.id}"`;
        const options = {
          hint: "the cause is what the hook threw; mend the hook, or add it without critical",
          details: { phase, id: metadata.id },
        };
        const error = asKeelsonError(thrown, "PHASE_FAILED", what, options);
        if (critical) {
          throw error.code === "PHASE_FAILED"
            ? error
            : new KeelsonError("PHASE_FAILED", `${what}: ${plainMessage(error)}`, {
                ...options,
                cause: error,
              });
        }
        this.#onFailure(phase, metadata, error);
      }
    }
  }
}
