// A native plugin that takes no part in making pages: it is told of each by an action, which its manifest asks for.
import type { Call, Module, ModuleContext, Value } from "keelson";

/** Counts visits. `served` is the action, `{ kind, args: [path] }`; `counts` answers path → visits. */
export default function visits(): Module {
  const counts = new Map<string, number>();
  let total: { add(): void } | undefined;
  return {
    init(context: ModuleContext): void {
      total = context.metrics.counter("press_visits_total", {
        help: "Pages that were served whole or in part.",
      });
    },
    call({ method, payload }: Call): Value {
      if (method === "counts") return Object.fromEntries(counts);
      const [path] = (payload as { readonly args: readonly Value[] }).args;
      counts.set(String(path), (counts.get(String(path)) ?? 0) + 1);
      total?.add();
      return undefined;
    },
  };
}
