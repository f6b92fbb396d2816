import type { Clock } from "@keelson/core";
import process from "node:process";
import { Snapshot } from "./snapshot.ts";
import type { ProcessEntry, ProcessInsight, ProcessTable } from "./table.ts";

/** Longest wait of a scan for kills under way elsewhere, ms. */
const SETTLE_MS = 40;

/**
 * Takes snapshots for all who end a tree: those who ask in the same turn share one, and who looks whether all is gone
 * waits a little for the others' kills, so that ending 200 children costs a few scans and not 200.
 */
export class Scanner {
  readonly #table: ProcessTable;
  readonly #clock: Clock;
  /** Own children that live: no need to look them up. */
  readonly #own: ReadonlySet<number>;
  /** Nothing that started before is of interest. */
  readonly #since: number;
  #next: Promise<Snapshot> | undefined;
  #looks: ((snapshot: Snapshot) => () => void)[] = [];
  #dying = 0;
  /** What all who wait for kills under way wait for together, and what ends that. */
  #settling: Promise<Snapshot> | undefined;
  #settle: (() => void) | undefined;
  /** What is read once in a process's life: it can lose a mark or a pipe it was born with, not come to another's. */
  #born = new Map<number, Born>();

  constructor(table: ProcessTable, clock: Clock, own: ReadonlySet<number>, since: number) {
    this.#table = table;
    this.#clock = clock;
    this.#own = own;
    this.#since = since;
  }

  /** Tells that a child was asked to end and is about to; the function given back tells that it has, or that it did not. */
  expectEnd(): () => void {
    this.#dying++;
    let told = false;
    return () => {
      if (told) return;
      told = true;
      if (--this.#dying === 0) this.#settle?.();
    };
  }

  /**
   * A snapshot begun after the call. `look` sees it first and answers what to do about it; that is done when all who share the
   * snapshot have looked, for all of them in one go: children that die take the processor from who has still to signal others.
   */
  scan(look?: (snapshot: Snapshot) => () => void): Promise<Snapshot> {
    if (look !== undefined) this.#looks.push(look);
    return (this.#next ??= new Promise<void>((resume) => process.nextTick(resume)).then(() => {
      this.#next = undefined;
      return this.#take(this.#looks.splice(0));
    }));
  }

  /** The same, once the children that are about to end have ended, at most 40 ms later: one wait for all who ask meanwhile. */
  scanSettled(): Promise<Snapshot> {
    return this.#dying === 0 ? this.scan() : (this.#settling ??= this.#scanAtRest());
  }

  async #scanAtRest(): Promise<Snapshot> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#settle = () => {
      this.#settle = this.#settling = undefined;
      resolve();
    };
    using _timer = this.#clock.after(SETTLE_MS, this.#settle);
    await promise;
    return this.scan();
  }

  async #take(looks: readonly ((snapshot: Snapshot) => () => void)[]): Promise<Snapshot> {
    const snapshot = await this.#snapshot();
    for (const act of looks.map((look) => look(snapshot))) act();
    return snapshot;
  }

  async #snapshot(): Promise<Snapshot> {
    const entries = new Map<number, ProcessEntry>();
    for (const entry of await this.#table.list(this.#own, this.#since)) entries.set(entry.pid, entry);
    for (const pid of this.#born.keys()) if (!entries.has(pid)) this.#born.delete(pid);
    const { insight } = this.#table;
    if (insight === undefined) return new Snapshot(entries, { mark: () => "", pipes: () => [] });
    return new Snapshot(entries, {
      mark: (entry) => this.#bornWith(entry, insight).mark,
      pipes: (entry) => this.#bornWith(entry, insight).pipes,
    });
  }

  #bornWith({ pid, start }: ProcessEntry, insight: ProcessInsight): Born {
    const kept = this.#born.get(pid);
    if (kept?.start === start) return kept;
    const mark = insight.mark(pid);
    // Who carries a mark is known by it.
    const born = { start, mark: mark ?? "", pipes: mark ? [] : insight.pipes(pid) };
    if (mark !== undefined) this.#born.set(pid, born);
    return born;
  }
}

interface Born {
  readonly start: number;
  readonly mark: string;
  readonly pipes: readonly string[];
}
