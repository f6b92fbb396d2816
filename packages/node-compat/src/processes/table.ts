import type { MaybePromise } from "@keelson/core";

/** One living process as the system lists it. Zombies are not alive and never listed. */
export interface ProcessEntry {
  readonly pid: number;
  /** Pid of the parent; that of the system's reaper once the parent died. */
  readonly parent: number;
  /** Process group. */
  readonly group: number;
  /** Session; 0 where the system does not tell. */
  readonly session: number;
  /** When it started, in units of the table: with the pid it names a process for good, a pid alone may be used again. */
  readonly start: number;
  /** The short name of its program. */
  readonly name: string;
}

/** What a process table can see of the machine's processes. */
export interface ProcessTable {
  /** All living processes but those in `skip`, and those that started before `since` if the table knows how to leave them out. */
  list(skip: ReadonlySet<number>, since?: number): MaybePromise<readonly ProcessEntry[]>;
  /** Those of `entries` that still live. */
  living(entries: readonly ProcessEntry[]): MaybePromise<readonly ProcessEntry[]>;
  /** The full command line; empty if it cannot be read. */
  command(entry: ProcessEntry): string;
  /** What only a table of open files and environments can tell; absent where the system hides it. */
  readonly insight?: ProcessInsight;
}

/** What is needed to find processes that left their parents, their group and their session. */
export interface ProcessInsight {
  /** All pids, unread. */
  pids(): readonly number[];
  /** One process by its pid, if it lives. */
  find(pid: number): ProcessEntry | undefined;
  /** The value of the owner's mark in its environment; "" if there is none, undefined if it cannot be told now. */
  mark(pid: number): string | undefined;
  /** What its standard input, output and error are bound to, by names that are equal for the two holders of one pipe. */
  pipes(pid: number): readonly string[];
  /** Of this program's pid namespace; undefined if it cannot be told. */
  namespace(): string | undefined;
  /** Numeric id of the user it runs as. */
  user(pid: number): number | undefined;
  /** Memory that it holds now, bytes. */
  memoryBytes(pid: number): number | undefined;
}
