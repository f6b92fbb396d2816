import {
  asKeelsonError,
  KeelsonError,
  type Bytes,
  type Clock,
  type Log,
  type MaybePromise,
  type ProcessInfo,
} from "@keelson/core";
import { addTally, type Tally } from "../governor/tally.ts";
import { BrokenMessage } from "./codec.ts";
import type { HostCalls } from "./host-calls.ts";
import { writeMake } from "./host-messages.ts";
import type { Line } from "./line.ts";
import { Ask, readAnswer, writeKind, type Answer } from "./messages.ts";

/** Lines without an instance that are kept for the next one: those of guests that were stopped are needed again at once. */
const MAX_SPARES = 2;
/** Instances made on one line before it makes room for a new one. */
const MAX_USES = 64;
/** What starting a thread or a child and making an instance in it may take, ms. */
const START_MS = 10_000;

/** Options of {@link Crew}. */
export interface CrewOptions {
  readonly id: string;
  readonly clock: Pick<Clock, "after">;
  readonly log: Log;
  /** Counts what guests use, as far as they live to tell it. */
  readonly tally: Tally | undefined;
  /** Starts a thread or a child, with its code on the way. */
  start(): MaybePromise<Line>;
}

/** The threads or children of one generation: all that were started, so that all are ended. */
export class Crew implements AsyncDisposable {
  readonly #options: CrewOptions;
  readonly #all = new Set<Line>();
  #spares: Line[] = [];
  readonly #starting = new Set<Promise<Line>>();
  readonly #ending = new Set<Promise<void>>();
  readonly #orphans: ProcessInfo[] = [];
  #closed = false;

  constructor(options: CrewOptions) {
    this.#options = options;
  }

  /** A line with an instance on it, and the instance's size, bytes. @param host who serves it, if it may call its host */
  async open(host?: HostCalls): Promise<{ readonly line: Line; readonly memoryBytes: number }> {
    const line = await this.#take();
    line.uses++;
    line.host = host;
    const { id, clock } = this.#options;
    using _limit = clock.after(START_MS, () => this.end(line, tooSlow(id)), true);
    try {
      const answer = await this.ask(line, writeMake(host?.provided ?? [], line.head));
      if (answer.kind === "error")
        throw answer.hostThrew && host ? host.original(answer.error) : answer.error;
      if (answer.kind !== "made")
        throw line.distrust(new BrokenMessage("a call is answered where an instance is made"));
      return { line, memoryBytes: answer.memoryBytes };
    } catch (error) {
      this.end(line);
      throw asKeelsonError(error, "INTERNAL", `${id}: an isolated guest cannot be made`);
    }
  }

  /** Asks on a line, and counts what the answer says was used. @throws KeelsonError why the line ended */
  async ask(line: Line, message: Bytes): Promise<Answer> {
    const answer = readFrom(line, await line.ask(message));
    const { tally } = this.#options;
    if (tally !== undefined) addTally(tally, answer.spent);
    return answer;
  }

  /** Takes back a line whose instance is not needed any more. It must be idle, or ended. */
  giveBack(line: Line, reuse: boolean): void {
    line.host = undefined;
    if (!reuse || this.#closed || line.uses >= MAX_USES || this.#spares.length >= MAX_SPARES || !line.fit())
      return this.end(line);
    line.tell(writeKind(Ask.drop, line.head));
    this.#spares.push(line);
  }

  /** Ends a line, whatever it does. */
  end(line: Line, why: KeelsonError = unneeded(this.#options.id)): void {
    this.#all.delete(line);
    const ending = line.end(why).then(({ orphans }) => {
      this.#orphans.push(...orphans);
      this.#ending.delete(ending);
    });
    this.#ending.add(ending);
  }

  /** @throws KeelsonError `PROCESS_SURVIVED` with those that could not be ended */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#spares = [];
    await Promise.allSettled(this.#starting);
    for (const line of [...this.#all]) this.end(line);
    await Promise.all(this.#ending);
    if (this.#orphans.length === 0) return;
    const { id } = this.#options;
    throw new KeelsonError(
      "PROCESS_SURVIVED",
      `${id}: processes of guests could not be ended: ${this.#orphans.map(({ pid }) => pid).join(", ")}`,
      { hint: "look at them with ps and end them by hand", details: { orphans: this.#orphans } },
    );
  }

  async #take(): Promise<Line> {
    for (let line = this.#spares.pop(); line !== undefined; line = this.#spares.pop()) {
      if (line.failure === undefined) return line;
      this.end(line);
    }
    if (this.#closed) throw unneeded(this.#options.id);
    const starting = Promise.resolve(this.#options.start());
    this.#starting.add(starting);
    try {
      const line = await starting;
      this.#all.add(line);
      return line;
    } finally {
      this.#starting.delete(starting);
    }
  }
}

/** An answer that is none ends its line. */
function readFrom(line: Line, message: Bytes): Answer {
  try {
    return readAnswer(message, line.head);
  } catch (error) {
    throw line.distrust(error);
  }
}

function unneeded(id: string): KeelsonError {
  return new KeelsonError("MODULE_NOT_RUNNING", `${id}: the guest's thread or process was ended`);
}

function tooSlow(id: string): KeelsonError {
  return new KeelsonError(
    "HANDSHAKE_TIMEOUT",
    `${id}: an isolated guest was not ready within ${START_MS} ms`,
    {
      hint: "the machine may be overloaded, or the guest's start function does not end and metering is off",
    },
  );
}
