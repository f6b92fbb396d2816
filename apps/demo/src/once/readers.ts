import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { get } from "./client.ts";
import { RUN_MARK } from "../plugins.ts";
import { scriptArguments } from "../runtime.ts";

/** What readers saw. */
export interface Reading {
  readonly pages: number;
  /** Not answered, or not whole. */
  readonly damaged: number;
  /** From the request to the last byte of the answer, ms. */
  readonly medianMs: number;
  readonly slowestMs: number;
}

/** What was done while somebody read, and what they saw. */
export interface ReadMeanwhile<T> {
  readonly value: T;
  readonly reading: Reading;
}

/** The page that is read. */
const PAGE = "/pages/README.md";

/**
 * Pages that {@link PacedReaders} ask for in a second: 8.6 million a day, or the most of these that the machine keeps up with. Asked for more, it would
 * be ever later, and what is seen would be the queue.
 */
const PACES = [100, 50, 25, 10] as const;
/** A machine keeps up when half of the pages take no longer, ms. */
const KEEPS_UP_MS = 50;

/** How long they read before anything counts, ms: engines compile what they run often. */
const WARM_MS = 1000;

/**
 * Readers as a server has them: in a process of their own, each with a connection of their own, one after the other at a fixed pace, whether the one
 * before has its answer or not. Who waited for answers would ask for less the slower they are.
 */
export class PacedReaders implements AsyncDisposable {
  /** Pages that they ask for in a second. */
  readonly pagesPerSecond: number;
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #ended: Promise<void>;

  private constructor(url: string, mark: string, pagesPerSecond: number) {
    this.pagesPerSecond = pagesPerSecond;
    const script = fileURLToPath(new URL("readers-child.ts", import.meta.url));
    this.#child = spawn(process.execPath, [...scriptArguments(script), url, PAGE, String(pagesPerSecond)], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, [RUN_MARK]: mark },
    });
    this.#ended = new Promise((resolve) => this.#child.once("close", () => resolve()));
    this.#lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
  }

  /** Lets them begin, at a pace that the machine keeps up with; with what they saw in `aloneMs` in which nothing else was done. */
  static async open(
    url: string,
    mark: string,
    aloneMs: number,
  ): Promise<{ readonly readers: PacedReaders; readonly alone: Reading }> {
    for (const pagesPerSecond of PACES) {
      const readers = new PacedReaders(url, mark, pagesPerSecond);
      await readers.#look();
      await wait(WARM_MS);
      const { reading: alone } = await readers.during(() => wait(aloneMs));
      if (alone.medianMs <= KEEPS_UP_MS || pagesPerSecond === PACES.at(-1)) return { readers, alone };
      await readers[Symbol.asyncDispose]();
    }
    throw new RangeError("there is no pace to read at");
  }

  /** Does `work`, and answers what was seen from its beginning until all is answered that was asked for by its end. */
  async during<T>(work: () => Promise<T>): Promise<ReadMeanwhile<T>> {
    await this.#look();
    const value = await work();
    return { value, reading: await this.#look() };
  }

  /** Lets the requests under way end, and the process with them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
    this.#lines.close();
  }

  /** What was seen since the last look. */
  async #look(): Promise<Reading> {
    const line = new Promise<string>((resolve) => this.#lines.once("line", resolve));
    this.#child.stdin?.write("look\n");
    const text = await Promise.race([line, this.#ended]);
    if (text === undefined) throw new Error("the readers' process ended by itself");
    return JSON.parse(text) as Reading;
  }
}

/** Does `work` while two readers ask for page after page without a pause, in this very thread. */
export async function besideHurried<T>(url: string, work: () => Promise<T>): Promise<ReadMeanwhile<T>> {
  const notes = new ReadingNotes();
  let over = false;
  const read = async (): Promise<void> => {
    do await notes.take(url, PAGE);
    while (!over);
  };
  const readers = Promise.all([read(), read()]);
  try {
    const value = await work();
    over = true;
    await readers;
    return { value, reading: notes.reading };
  } finally {
    over = true;
    await readers;
  }
}

/** Reads pages, and notes what came of it. */
export class ReadingNotes {
  readonly #took: number[] = [];
  #damaged = 0;

  get reading(): Reading {
    const took = this.#took.toSorted((one, other) => one - other);
    return {
      pages: took.length,
      damaged: this.#damaged,
      medianMs: took[took.length >> 1] ?? 0,
      slowestMs: took.at(-1) ?? 0,
    };
  }

  /** Reads a page; never rejects. */
  async take(url: string, path: string): Promise<void> {
    const from = performance.now();
    try {
      const { status, headers, tookMs } = await get(url, path);
      this.#took.push(tookMs);
      if (status !== 200 || headers.has("press-skipped")) this.#damaged++;
    } catch {
      this.#took.push(performance.now() - from);
      this.#damaged++;
    }
  }
}
