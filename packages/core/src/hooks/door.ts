import type { Door } from "../contract/doors.ts";
import { KeelsonError } from "../contract/errors.ts";
import type { ActionHandler, FilterHandler, HandlerOptions, HookRegistry } from "../contract/hooks.ts";
import type { KernelHooks, PreparedHandler } from "./hooks.ts";

/** A module's door to the hooks. What it registers is live while the door is active, and gone when the door is closed. */
export interface HooksDoor extends HookRegistry, Door {
  /** Makes what was registered, and what will be, live. */
  activate(): void;
  /** Takes it all out again, to be activated later. */
  deactivate(): void;
  /** What runs wait for from its handlers now. None of it rejects. */
  unanswered(): Promise<unknown>[];
}

/** Makes a module's door to `hooks`: open, and not yet active. Use of a closed door is `DOOR_CLOSED`. */
export function createHooksDoor(hooks: KernelHooks, { module }: { readonly module: string }): HooksDoor {
  const handlers = new Set<PreparedHandler>();
  let open = true;
  let active = false;
  let registered = 0;
  const add = (
    type: "filter" | "action",
    name: string,
    handler: FilterHandler | ActionHandler,
    options: HandlerOptions | undefined,
  ): Disposable => {
    if (!open) {
      throw new KeelsonError("DOOR_CLOSED", `Module "${module}" can no longer handle the hook "${name}"`, {
        hint: "add handlers in init or start, of the generation that runs",
        details: { module, hook: name },
      });
    }
    const prepared = hooks.prepare(module, type, name, handler, options, registered++);
    handlers.add(prepared);
    if (active) prepared.activate();
    return {
      [Symbol.dispose]: () => {
        handlers.delete(prepared);
        prepared[Symbol.dispose]();
      },
    };
  };
  return {
    get open() {
      return open;
    },
    filter: (name, handler, options) => add("filter", name, handler, options),
    action: (name, handler, options) => add("action", name, handler, options),
    activate() {
      if (!open) return;
      active = true;
      for (const handler of handlers) handler.activate();
    },
    deactivate() {
      active = false;
      for (const handler of handlers) handler.deactivate();
    },
    unanswered: () => [...handlers].flatMap((handler) => [...handler.unanswered]),
    close() {
      open = false;
      active = false;
      for (const handler of handlers) handler[Symbol.dispose]();
      handlers.clear();
    },
  };
}
