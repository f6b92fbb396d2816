import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from "node:fs";
import { MARK } from "./mark.ts";
import type { ProcessEntry, ProcessTable } from "./table.ts";

/** Time a scan may hold the thread before it lets others run, ms. */
const SLICE_MS = 8;

/** The flag of the kernel's own threads, which are nobody's child. */
const KERNEL_THREAD = 0x0020_0000;

/** What the system numbers processes up to, unless it says otherwise, before it begins anew. */
const PID_MAX = 32_768;

/**
 * The process table of Linux, from /proc. Start times are in clock ticks since the machine started.
 * @throws what the runtime throws when it may not read /proc
 */
export function createProcTable(): Required<ProcessTable> {
  const text = createReader();
  const forks = (): number => Number(/^processes (\d+)$/m.exec(text("/proc/stat") ?? "")?.[1]);
  /**
   * After so many forks a process that is too old to matter is read again: its number may soon be another's. The numbers in between are
   * handed out first, so that this is far below what it takes.
   */
  const fewForks = (Number(text("/proc/sys/kernel/pid_max")) || PID_MAX) / 4;
  let old = new Map<number, Old>();

  const find = (pid: number): ProcessEntry | undefined => {
    const stat = text(`/proc/${pid}/stat`);
    return stat === undefined ? undefined : parseStat(pid, stat);
  };
  const same = (entry: ProcessEntry): boolean => find(entry.pid)?.start === entry.start;

  return {
    async list(skip, since = 0) {
      const entries: ProcessEntry[] = [];
      const stillOld = new Map<number, Old>();
      // Where it cannot be read, nothing is fewer than NaN, and all are read each time.
      const at = forks();
      let until = performance.now() + SLICE_MS;
      for (const pid of pidsOf("/proc")) {
        if (skip.has(pid)) continue;
        const known = old.get(pid);
        if (known !== undefined && known.start < since && at - known.at < fewForks) {
          stillOld.set(pid, known);
          continue;
        }
        const stat = text(`/proc/${pid}/stat`);
        if (stat === undefined) continue;
        const start = startOf(stat);
        if (start < since) stillOld.set(pid, { start, at });
        else {
          const entry = parseStat(pid, stat);
          if (entry !== undefined) entries.push(entry);
        }
        if (performance.now() > until) {
          await new Promise<void>((resume) => setImmediate(resume));
          until = performance.now() + SLICE_MS;
        }
      }
      old = stillOld;
      return entries;
    },
    living: (entries) => entries.filter(same),
    command: ({ pid, name }) =>
      (text(`/proc/${pid}/cmdline`)?.replaceAll("\0", " ").trim() || name).slice(0, 200),
    insight: {
      pids: () => pidsOf("/proc"),
      find,
      mark(pid) {
        const environment = text(`/proc/${pid}/environ`);
        // Empty in the moment of an exec, too: then nothing is known.
        if (environment === undefined || environment === "") return undefined;
        return markIn(environment);
      },
      pipes: (pid) => [0, 1, 2].map((fd) => linkOf(`/proc/${pid}/fd/${fd}`)).filter((name) => name !== ""),
      namespace: () => /\d+/.exec(linkOf("/proc/self/ns/pid"))?.[0],
      user(pid) {
        try {
          return statSync(`/proc/${pid}`).uid;
        } catch {
          return undefined;
        }
      },
      memoryBytes(pid) {
        const kibibytes = /^VmRSS:\s*(\d+) kB/m.exec(text(`/proc/${pid}/status`) ?? "")?.[1];
        return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
      },
    },
  };
}

function pidsOf(folder: string): number[] {
  const pids: number[] = [];
  for (const name of readdirSync(folder)) {
    const first = name.charCodeAt(0);
    if (first >= 0x31 && first <= 0x39) pids.push(Number(name));
  }
  return pids;
}

/** A process that began before anything of interest. */
interface Old {
  readonly start: number;
  /** Forks of the machine before that was read. */
  readonly at: number;
}

/**
 * A line of /proc/…/stat: `pid (name) state parent group session tty tpgid flags …`, the start time at place 22; the name
 * may hold blanks and brackets. Undefined for a zombie and for the kernel's own threads.
 */
export function parseStat(pid: number, stat: string): ProcessEntry | undefined {
  const open = stat.indexOf("(");
  const close = stat.lastIndexOf(")");
  if (open < 0 || close < open) return undefined;
  const fields = fieldsOf(stat);
  const state = fields[0];
  if (state === "Z" || state === "X" || state === "x") return undefined;
  if ((Number(fields[6]) & KERNEL_THREAD) !== 0) return undefined;
  return {
    pid,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    start: Number(fields[19]),
    name: stat.slice(open + 1, close),
  };
}

/** The fields behind the name. */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ", 20);
}

function startOf(stat: string): number {
  return Number(fieldsOf(stat)[19]);
}

function markIn(environment: string): string {
  const key = `${MARK}=`;
  const at = environment.startsWith(key) ? 0 : environment.indexOf(`\0${key}`) + 1;
  if (at === 0 && !environment.startsWith(key)) return "";
  const end = environment.indexOf("\0", at);
  return environment.slice(at + key.length, end < 0 ? environment.length : end);
}

/** The pipe, socket or file a descriptor is bound to; "" if it cannot be read. */
export function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** Reads small files whole through one buffer: several times faster than readFileSync, which asks for the size first. */
function createReader(): (path: string) => string | undefined {
  let buffer = Buffer.allocUnsafe(8192);
  return (path) => {
    let file: number;
    try {
      file = openSync(path, "r");
    } catch {
      return undefined;
    }
    try {
      let length = 0;
      for (;;) {
        const read = readSync(file, buffer, length, buffer.length - length, null);
        length += read;
        if (read === 0 || length < buffer.length) break;
        const larger = Buffer.allocUnsafe(buffer.length * 2);
        buffer.copy(larger);
        buffer = larger;
      }
      return buffer.toString("latin1", 0, length);
    } catch {
      return undefined;
    } finally {
      closeSync(file);
    }
  };
}
