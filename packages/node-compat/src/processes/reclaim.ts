import { parseMark, type Host } from "./mark.ts";
import type { ProcessEntry, ProcessInsight } from "./table.ts";

/**
 * Processes whose owners are all dead: a host that was killed left them behind. One living owner, a process of another
 * user or of another pid namespace is reason enough to leave a process alone.
 */
export function findStrays(insight: ProcessInsight, self: Host): ProcessEntry[] {
  const user = insight.user(self.pid);
  const lives = (host: Host): boolean => insight.find(host.pid)?.start === host.start;
  return insight.pids().flatMap((pid) => {
    if (pid === self.pid) return [];
    const owners = parseMark(insight.mark(pid) ?? "");
    if (owners.length === 0) return [];
    if (owners.some((owner) => owner.namespace !== self.namespace || lives(owner))) return [];
    const entry = insight.find(pid);
    return entry === undefined || user === undefined || insight.user(pid) !== user ? [] : [entry];
  });
}
