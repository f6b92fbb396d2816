import type { ProcessEntry, ProcessTable } from "./table.ts";

/** Runs a program to its end and gives its standard output; rejects when it cannot. */
export type RunText = (command: string, args: readonly string[]) => Promise<string>;

const COLUMNS = "pid=,ppid=,pgid=,stat=,lstart=,args=";

/**
 * The process table as `ps` prints it, for systems without /proc and for runtimes that may not read it. Sees parents
 * and groups, no environments and no pipes. Start times are whole seconds since 1970. `list` rejects when `ps` cannot
 * be run.
 */
export function createPsTable(run: RunText): ProcessTable {
  const commands = new Map<number, string>();
  const list = async (args: readonly string[]): Promise<ProcessEntry[]> => {
    const text = await run("ps", [...args, "-o", COLUMNS]);
    commands.clear();
    return text.split("\n").flatMap((line) => {
      const entry = parsePsLine(line);
      if (entry === undefined) return [];
      commands.set(entry.pid, entry.name);
      return [entry];
    });
  };
  return {
    list: async (skip) => (await list(["-A"])).filter(({ pid }) => !skip.has(pid)),
    async living(entries) {
      if (entries.length === 0) return [];
      // It fails when it finds none of them.
      const now = await list(["-p", entries.map(({ pid }) => pid).join(",")]).catch(() => []);
      return entries.filter(({ pid, start }) =>
        now.some((entry) => entry.pid === pid && entry.start === start),
      );
    },
    command: ({ pid, name }) => (commands.get(pid) ?? name).slice(0, 200),
  };
}

/** One line of `ps -o pid=,ppid=,pgid=,stat=,lstart=,args=`; undefined for a zombie and for what is no such line. */
export function parsePsLine(line: string): ProcessEntry | undefined {
  const found = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+ +\S+ +\S+ +\S+ +\d{4})\s+(.*)$/.exec(line);
  if (found === null) return undefined;
  const [, pid, parent, group, state = "", started = "", name = ""] = found;
  if (/^[ZX]/.test(state)) return undefined;
  return {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    session: 0,
    start: Date.parse(started) / 1000,
    name,
  };
}
