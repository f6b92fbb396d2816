import { KeelsonError } from "../contract/errors.ts";
import type { ProcessInfo } from "../contract/platform.ts";
import type { Child } from "./child.ts";
import { type ChildProcessOptions, DEFAULT_DEADLINE_MS, DEFAULT_GRACE_MS } from "./options.ts";

/** Ends a child's process tree and answers what could not be ended. */
export async function endChild(child: Child, options: ChildProcessOptions): Promise<readonly ProcessInfo[]> {
  const { graceMs = DEFAULT_GRACE_MS, deadlineMs = DEFAULT_DEADLINE_MS } = options;
  child.process.closeStdin();
  const { orphans } = await child.process.terminate({ graceMs, deadlineMs });
  // What it said at its end is still in the pipes; what survived may hold them for ever.
  if (orphans.length === 0) await child.ended;
  child.close();
  return orphans;
}

/** What is thrown when processes survived; `details.orphans` names them. */
export function survivedError(name: string, orphans: readonly ProcessInfo[]): KeelsonError {
  const list = orphans
    .map(({ pid, command }) => (command === "" ? `${pid}` : `${pid} (${command})`))
    .join(", ");
  return new KeelsonError("PROCESS_SURVIVED", `Processes of ${name} could not be ended: ${list}`, {
    hint: "look at them with ps and end them by hand",
    details: { orphans },
  });
}
