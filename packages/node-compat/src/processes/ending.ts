import type { Clock, ProcessInfo, TerminateOptions, TerminationReport } from "@keelson/core";
import type { Scanner } from "./scanner.ts";
import type { Snapshot } from "./snapshot.ts";
import type { ProcessEntry, ProcessTable } from "./table.ts";
import type { Tree } from "./tree.ts";

/** Sends a signal; false when there is no such process or it may not be signalled. A negative pid is a group. */
export type SendSignal = (pid: number, signal: "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT") => boolean;

/** Longest wait between two looks at processes that were killed, ms. */
const LOOK_MS = 20;
/** Least time to verify after the kill, ms. */
const VERIFY_MS = 100;
/** Snapshots taken of a frozen tree before it is killed with whatever was found. */
const FREEZE_ROUNDS = 5;

/** The child at the root of a tree, as the runtime sees it. */
export interface RootHandle {
  readonly info: ProcessInfo;
  readonly exited: Promise<unknown>;
  ended(): boolean;
  /** Closes its standard input. */
  endInput(): void;
  /**
   * Signals it and its group; itself only, where groups cannot be signalled or it is known to be alone in its own. The system locks its
   * table of processes for a group, where each must wait for those that are dying.
   */
  signal(signal: "SIGTERM" | "SIGKILL" | "SIGSTOP", alone: boolean): void;
}

/** What {@link endTree} works with. */
export interface Ending {
  readonly tree: Tree;
  /** Undefined for strays, which no runtime watches. */
  readonly root: RootHandle | undefined;
  readonly table: ProcessTable;
  readonly scanner: Scanner;
  readonly send: SendSignal;
  readonly clock: Clock;
  /** Settles when somebody wants the kill now. */
  readonly hurry: Promise<void>;
}

/**
 * Ends a tree and looks until it is gone: asks, waits, freezes what is left so that nothing can fork its way out, kills,
 * and scans until a scan finds none. Never rejects.
 */
export async function endTree(ending: Ending, options: TerminateOptions): Promise<TerminationReport> {
  const { tree, root, table, scanner, send, clock } = ending;
  const { graceMs = 500, deadlineMs = 5000 } = options;
  const begun = clock.now();
  const killAt = begun + Math.min(graceMs, deadlineMs);
  const deadline = begun + Math.max(deadlineMs, graceMs + VERIFY_MS);
  const seen = new Map<string, ProcessInfo>();
  if (root !== undefined && !root.ended()) seen.set("root", root.info);

  const look = (snapshot: Snapshot): readonly ProcessEntry[] => {
    const members = tree.members(snapshot);
    for (const entry of members) {
      const key = `${entry.pid}:${entry.start}`;
      if (!seen.has(key)) seen.set(key, { pid: entry.pid, command: table.command(entry) });
    }
    return members;
  };
  const rootLives = (): boolean => root !== undefined && !root.ended();
  const signalAll = (members: readonly ProcessEntry[], signal: "SIGTERM" | "SIGKILL" | "SIGSTOP"): void => {
    // Asked once: those in its group have the signal, also when it ends at once.
    const lives = rootLives();
    if (lives) root?.signal(signal, members.length === 0);
    for (const { pid, group } of members) if (!(lives && group === root?.info.pid)) send(pid, signal);
  };
  /** Waits until the root and `members` are gone, at most until `until` or until `cut` settles. */
  const gone = async (
    members: readonly ProcessEntry[],
    until: number,
    cut?: Promise<void>,
  ): Promise<void> => {
    let isCut = false;
    const cuts = cut === undefined ? [] : [cut.then(() => (isCut = true))];
    if (root !== undefined && rootLives()) {
      const ended = scanner.expectEnd();
      await withinTime(clock, until - clock.now(), [root.exited, ...cuts]);
      ended();
    }
    let left = members;
    for (let wait = 1; left.length > 0 && !isCut; wait = Math.min(wait * 2, LOOK_MS)) {
      left = await table.living(left);
      const rest = until - clock.now();
      if (left.length === 0 || rest <= 0) break;
      await withinTime(clock, Math.min(wait, rest), cuts);
    }
  };

  let members: readonly ProcessEntry[] = [];
  let killed = false;
  await scanner.scan((snapshot) => {
    members = look(snapshot);
    killed = graceMs === 0 && members.length === 0;
    return () => {
      if (killed) signalAll(members, "SIGKILL");
      else if (graceMs > 0) signalAll(members, "SIGTERM");
    };
  });
  if (graceMs > 0 && (members.length > 0 || rootLives())) {
    root?.endInput();
    await gone(members, killAt, ending.hurry);
    members = look(await scanner.scanSettled());
  }
  while (members.length > 0 || rootLives()) {
    // One without descendants has nobody to fork from; others are frozen until no new one shows up.
    for (
      let round = 0, before = -1;
      members.length > 0 && members.length !== before && round < FREEZE_ROUNDS;
      round++
    ) {
      before = members.length;
      signalAll(members, "SIGSTOP");
      members = look(await scanner.scan());
    }
    if (!killed) signalAll(members, "SIGKILL");
    killed = false;
    if (members.length === 0 && root !== undefined) {
      // Alone it needs no wait of its own: the scan is taken when it and the others are gone, or soon enough to try again.
      const ended = scanner.expectEnd();
      void root.exited.then(ended);
      members = look(await scanner.scanSettled());
      ended();
    } else {
      await gone(members, Math.min(deadline, clock.now() + VERIFY_MS));
      members = look(await scanner.scanSettled());
    }
    if (clock.now() >= deadline) break;
  }

  if (members.length === 0 && !rootLives()) return { ended: [...seen.values()], orphans: [] };
  const orphans = members.map(({ pid, start }) => `${pid}:${start}`).concat(rootLives() ? ["root"] : []);
  return {
    ended: [...seen].filter(([key]) => !orphans.includes(key)).map(([, info]) => info),
    orphans: [...seen].filter(([key]) => orphans.includes(key)).map(([, info]) => info),
  };
}

/** Waits until one of `events` or for `ms`. */
export async function withinTime(
  clock: Clock,
  ms: number,
  events: readonly Promise<unknown>[],
): Promise<void> {
  if (ms <= 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  using _timer = clock.after(ms, resolve);
  await Promise.race([promise, ...events]);
}
