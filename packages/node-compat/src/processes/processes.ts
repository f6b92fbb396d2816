import type { Clock, Processes, Random, TerminateOptions, TerminationReport } from "@keelson/core";
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { spawnError } from "../errors.ts";
import { requireParts } from "../parts.ts";
import { ChildProcess } from "./child.ts";
import { endTree, withinTime, type RootHandle, type SendSignal } from "./ending.ts";
import type { Launched, Launcher } from "./launcher.ts";
import { MARK, extendMark, type Host, type Owner } from "./mark.ts";
import { findStrays } from "./reclaim.ts";
import { Scanner } from "./scanner.ts";
import type { ProcessTable } from "./table.ts";
import { childTree, strayTree } from "./tree.ts";

/** Options of {@link createProcesses}. */
export interface ProcessesOptions {
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly random: Random;
  /** Pid of this program. */
  readonly pid: number;
  /** Where descendants are looked up. Undefined where the system hides them: then only the child's group is ended. */
  readonly table: ProcessTable | undefined;
  /** Signals any process; undefined where only own children, one by one, can be signalled. */
  readonly send: SendSignal | undefined;
  /** A variable of this program's environment. May throw `PERMISSION_DENIED`. */
  readonly environment: (name: string) => string | undefined;
  /** Whether children inherit what programs need on Windows besides PATH and HOME. Default false. */
  readonly windows?: boolean;
  /** The command that runs an ES module on this runtime, with what wires it to its standard input and output; undefined where there is none. */
  readonly fork: ((program: URL) => readonly [command: string, ...args: string[]]) | undefined;
}

const nothing: TerminationReport = { ended: [], orphans: [] };
/** Variables that children get from the host on every system, and those that Windows needs too. */
const INHERITED = ["PATH", "HOME"];
const INHERITED_ON_WINDOWS = [...INHERITED, "SYSTEMROOT", "USERPROFILE", "TEMP"];

/** Starts, ends and verifies child processes over a runtime's own way to launch them. @throws KeelsonError `INVALID_OPTIONS` for a part that is missing */
export function createProcesses(options: ProcessesOptions): Processes {
  const needed = { launcher: "object", clock: "object", random: "object", environment: "function" } as const;
  requireParts("The port of processes", options, needed);
  const { launcher, clock, random, table, send, pid: host } = options;
  const self = hostOf(table, host);
  /** Keeps tokens of two platforms in one program apart. */
  const prefix = random.id().replaceAll("-", "").slice(0, 12);
  let count = 0;
  /** Living children: a scan need not look at them. */
  const own = new Set<number>();
  const shared = table && new Scanner(table, clock, own, self?.start ?? 0);
  const inherited = self === undefined ? "" : readMark(options);

  const inheritedVariables = (env: Readonly<Record<string, string>>): Record<string, string> => {
    const variables: Record<string, string> = {};
    for (const name of options.windows === true ? INHERITED_ON_WINDOWS : INHERITED) {
      const value = Object.hasOwn(env, name) ? undefined : options.environment(name);
      if (value !== undefined) variables[name] = value;
    }
    return variables;
  };

  const end = (
    child: ChildProcess,
    root: RootFacts,
    terms: TerminateOptions,
    hurry: Promise<void>,
  ): Promise<TerminationReport> => {
    const handle = rootHandle(child, send);
    if (table === undefined || shared === undefined) return endAlone(handle, clock, terms, hurry);
    const tree = childTree({ pid: child.pid, ended: () => child.ended, ...root }, host);
    const ending = { tree, root: handle, table, scanner: shared, send: send ?? (() => false), clock, hurry };
    // A table that fails to list must not keep the child alive.
    return endTree(ending, terms).catch(() => endAlone(handle, clock, terms, hurry));
  };

  const processes: Processes = {
    async spawn(command, args, { cwd, env = {} }) {
      const owner: Owner | undefined = self && { ...self, token: `${prefix}${(count++).toString(36)}` };
      const variables: Record<string, string> = {
        ...inheritedVariables(env),
        ...env,
        ...(owner === undefined ? {} : { [MARK]: extendMark(inherited, owner) }),
      };
      const folder = cwd && fileURLToPath(cwd);
      let launched: Launched;
      try {
        launched = await launcher.launch(command, args, { cwd: folder, env: variables });
      } catch (error) {
        const cwdIsFolder = folder === undefined ? undefined : await isFolder(folder);
        throw spawnError(error, command, { cwd: folder, cwdIsFolder, path: variables["PATH"] });
      }
      const { pid } = launched;
      const root: RootFacts = {
        start: table?.insight?.find(pid)?.start,
        pipes: table?.insight?.pipes(pid).filter((name) => /^(pipe|socket):/.test(name)) ?? [],
        owner,
      };
      const child = new ChildProcess(
        launched,
        [command, ...args].join(" ").slice(0, 200),
        (self_, terms, hurry) => end(self_, root, terms, hurry),
        table?.insight?.memoryBytes,
      );
      own.add(pid);
      void child.exited.then(() => own.delete(pid));
      return child;
    },

    async reclaim() {
      const insight = table?.insight;
      if (table === undefined || insight === undefined || self === undefined || send === undefined) {
        return nothing;
      }
      const strays = findStrays(insight, self);
      if (strays.length === 0) return nothing;
      // Frozen by a host that died in the act, they could not obey.
      for (const { pid } of strays) send(pid, "SIGCONT");
      const tree = strayTree(strays, host);
      const scanner = new Scanner(table, clock, own, Math.min(...strays.map(({ start }) => start)));
      const hurry = new Promise<void>(() => undefined);
      return endTree({ tree, root: undefined, table, scanner, send, clock, hurry }, {});
    },
  };
  const { fork } = options;
  if (fork === undefined) return processes;
  return {
    ...processes,
    async fork(program, given = {}) {
      const [command, ...args] = fork(program);
      return processes.spawn(command, args, given);
    },
  };
}

interface RootFacts {
  readonly start: number | undefined;
  readonly pipes: readonly string[];
  readonly owner: Owner | undefined;
}

function hostOf(table: ProcessTable | undefined, pid: number): Host | undefined {
  const start = table?.insight?.find(pid)?.start;
  const namespace = table?.insight?.namespace();
  return start === undefined || namespace === undefined ? undefined : { namespace, pid, start };
}

/** The mark that this program itself was started with. */
function readMark({ environment }: ProcessesOptions): string {
  try {
    return environment(MARK) ?? "";
  } catch {
    return "";
  }
}

function rootHandle(child: ChildProcess, send: SendSignal | undefined): RootHandle {
  return {
    info: { pid: child.pid, command: child.command },
    exited: child.exited,
    ended: () => child.ended,
    endInput: () => child.closeStdin(),
    signal(signal, alone) {
      // While the runtime has not reaped the child, the number of its group cannot belong to another.
      if (child.ended) return;
      if (alone || send === undefined || !send(-child.pid, signal)) child.kill(signal);
    },
  };
}

/** Ends what can be ended without a process table: the child and its group. */
async function endAlone(
  root: RootHandle,
  clock: Clock,
  { graceMs = 500, deadlineMs = 5000 }: TerminateOptions,
  hurry: Promise<void>,
): Promise<TerminationReport> {
  if (root.ended()) return nothing;
  if (graceMs > 0) {
    root.endInput();
    root.signal("SIGTERM", false);
    await withinTime(clock, Math.min(graceMs, deadlineMs), [root.exited, hurry]);
  }
  // The group may outlive the child, but its number is sure to be the child's only while it lives.
  root.signal("SIGKILL", false);
  await withinTime(clock, Math.max(deadlineMs - graceMs, 100), [root.exited]);
  return root.ended() ? { ended: [root.info], orphans: [] } : { ended: [], orphans: [root.info] };
}

async function isFolder(path: string): Promise<boolean | undefined> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    return (error as { readonly code?: unknown }).code === "ENOENT" ? false : undefined;
  }
}
