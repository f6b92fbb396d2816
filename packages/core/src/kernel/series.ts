import type { Metrics } from "../contract/metrics.ts";
import { transitions } from "../lifecycle/states.ts";
import type { Entry } from "./entry.ts";

/** Shows how many modules are in which state, how many are refused, and how often they were restarted; all read at each scrape. */
export function exposeModules(entries: ReadonlyMap<string, Entry>, metrics: Metrics): void {
  const sum = (of: (entry: Entry) => number): number => {
    let all = 0;
    for (const entry of entries.values()) all += of(entry);
    return all;
  };
  const states = { help: "Modules by state." };
  for (const state of Object.keys(transitions)) {
    const sample = (): number => sum((entry) => Number(entry.state === state));
    metrics.observe("gauge", "keelson_modules", states, { state }, sample);
  }
  const quarantined = { help: "Modules that are refused since their guests were stopped too often." };
  metrics.observe("gauge", "keelson_modules_quarantined", quarantined, {}, () =>
    sum((entry) => Number(entry.quarantined)),
  );
  const restarts = { help: "Restarts by supervisors, of the modules registered now." };
  metrics.observe("counter", "keelson_restarts_total", restarts, {}, () =>
    sum((entry) => entry.child.view?.restarts ?? 0),
  );
}
