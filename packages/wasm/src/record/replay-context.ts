import { KeelsonError, type ModuleContext } from "@keelson/core";

/** What creating an instance needs of a context, outside of any kernel; whatever else is asked of it fails. */
export function replayContext(id: string, clock: { now(): number }): ModuleContext {
  const used: Partial<ModuleContext> = {
    id,
    generation: 0,
    // What the host answered to a guest that asked for the time stands in the record.
    clock: { now: () => clock.now(), wall: () => 0, after: () => absent("a timer") },
    log: { write() {} },
  };
  return new Proxy(used, {
    get: (target, name) => (name in target ? Reflect.get(target, name) : absent(String(name))),
  }) as ModuleContext;
}

function absent(what: string): never {
  throw new KeelsonError("UNSUPPORTED", `A call that is run again has no ${what}`, {
    hint: "please report this: a replay needs no more than its record",
  });
}
