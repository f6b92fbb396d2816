import {
  KeelsonError,
  type Bytes,
  type Clock,
  type Process,
  type ProcessExit,
  type ProcessInfo,
} from "@keelson/core";
import { BrokenMessage } from "./codec.ts";
import { FrameReader, HEAD_BYTES, sealFrame } from "./frames.ts";
import type { HostCalls } from "./host-calls.ts";
import { writeOver } from "./host-messages.ts";
import type { Line, LineEnd } from "./line.ts";
import { kindOf, readLog, Tell, type LogMessage } from "./messages.ts";
import { Question } from "./question.ts";

/** Time between two looks at the memory of a child that works, ms. */
const WATCH_MS = 25;
/** How long the pipes of a child that has ended may take to end, ms. */
const DRAIN_MS = 100;
/** How long a child whose output has ended may take to be gone, ms: until then it is not taken for one that lives and says nothing more. */
const GONE_MS = 1_000;
/** What is kept of a child's standard error for the message that says how it ended, characters. */
const LAST_WORDS = 2_000;

/** Options of {@link ChildLine}. */
export interface ChildLineOptions {
  readonly id: string;
  readonly clock: Pick<Clock, "after">;
  /** Memory that the child may hold, bytes. */
  readonly maxProcessBytes: number;
  /** Longest message that is taken from it, bytes. */
  readonly maxMessageBytes: number;
  readonly log: (record: LogMessage) => void;
}

/** A line to a child process. It is stopped by SIGKILL, and so it is when it holds more memory than it may. */
export class ChildLine implements Line {
  readonly head: number = HEAD_BYTES;
  uses = 0;
  host: HostCalls | undefined;
  failure: KeelsonError | undefined;
  readonly #process: Process;
  readonly #options: ChildLineOptions;
  readonly #question = new Question();
  #watch: Disposable | undefined;
  /** Whether anything was asked since the last look. */
  #worked = false;
  #words = "";
  #end: Promise<LineEnd> | undefined;

  constructor(process: Process, options: ChildLineOptions) {
    this.#process = process;
    this.#options = options;
    const output = this.#listen();
    const words = this.#hear();
    void process.exited.then(async (exit) => {
      await this.#drained(Promise.all([output, words]));
      void this.end(this.#exited(exit));
    });
  }

  tell(message: Bytes): void {
    if (this.failure === undefined) this.#send(message);
  }

  ask(message: Bytes): Promise<Bytes> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.#worked = true;
    this.#watch ??= this.#arm();
    return this.#question.put(() => this.#send(message));
  }

  answer(message: Bytes): void {
    this.tell(message);
  }

  stop(): void {
    const { id } = this.#options;
    void this.end(new KeelsonError("ABORTED", `${id}: the guest's process was killed to end its call`));
  }

  fit(): boolean {
    const { maxProcessBytes } = this.#options;
    const small = (this.#process.memoryBytes?.() ?? 0) < maxProcessBytes * 0.6;
    return this.failure === undefined && !this.#question.open && small;
  }

  end(why: KeelsonError): Promise<LineEnd> {
    this.#end ??= this.#terminate(why);
    return this.#end;
  }

  async #terminate(why: KeelsonError): Promise<LineEnd> {
    this.failure = why;
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
    this.#question.fail(why);
    const { orphans } = await this.#process.terminate({ graceMs: 0 });
    return { orphans: orphans satisfies readonly ProcessInfo[] };
  }

  #send(message: Bytes): void {
    const room = this.#process.write(sealFrame(message));
    // That nobody reads any more is told by the end of the process.
    if (room !== undefined) room.catch(() => undefined);
  }

  async #listen(): Promise<void> {
    const frames = new FrameReader(this.#options.maxMessageBytes);
    try {
      for await (const chunk of this.#process.stdout) {
        frames.add(chunk);
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) this.#receive(frame);
      }
      if (!(await this.#within(GONE_MS, this.#process.exited)))
        throw new BrokenMessage("its output has ended");
    } catch (error) {
      this.distrust(error);
    }
  }

  #receive(frame: Bytes): void {
    const kind = kindOf(frame, HEAD_BYTES);
    if (kind === Tell.log) this.#options.log(readLog(frame, HEAD_BYTES));
    else if (kind === Tell.hostCall) this.#serve(frame);
    // A sign of life, by which the child finds out whether its host lives.
    else if (kind === Tell.alive) return;
    else {
      this.host?.answered();
      // The frame is only lent.
      if (!this.#question.answer(frame.slice())) throw new BrokenMessage("an answer to no question");
    }
  }

  #serve(frame: Bytes): void {
    if (this.host === undefined) this.answer(writeOver("ABORTED", HEAD_BYTES));
    else this.host.serve(frame, this);
  }

  /** What breaks the protocol is no program of ours any more. */
  distrust(cause: unknown): KeelsonError {
    const { id } = this.#options;
    const error = new KeelsonError("PROCESS_EXITED", `${id}: the guest's process broke its protocol`, {
      hint: "it was killed; the module starts another for its next call",
      cause,
    });
    void this.end(error);
    return error;
  }

  async #hear(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stderr) {
      this.#words = (this.#words + decoder.decode(chunk, { stream: true })).slice(-LAST_WORDS);
    }
  }

  #arm(): Disposable {
    return this.#options.clock.after(
      WATCH_MS,
      () => {
        this.#watch = undefined;
        this.#look();
      },
      true,
    );
  }

  /** Goes on for as long as there is work; the next question begins it again. */
  #look(): void {
    if (this.failure !== undefined || !(this.#worked || this.#question.open)) return;
    this.#worked = false;
    const { id, maxProcessBytes } = this.#options;
    const bytes = this.#process.memoryBytes?.();
    if (bytes === undefined) return;
    if (bytes <= maxProcessBytes) {
      this.#watch = this.#arm();
      return;
    }
    const error = new KeelsonError(
      "OUT_OF_MEMORY",
      `${id}: the guest's process held ${bytes} bytes; the limit is ${maxProcessBytes}`,
      {
        hint: "raise limits.process; the process was killed",
        details: { module: id, processBytes: bytes, limitBytes: maxProcessBytes },
      },
    );
    void this.end(error);
  }

  /** What it said at its end is still in the pipes; somebody else may hold them for ever. */
  async #drained(pipes: Promise<unknown>): Promise<void> {
    await this.#within(DRAIN_MS, pipes);
  }

  /** Whether `work`, which never rejects, settles in time. */
  async #within(ms: number, work: Promise<unknown>): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    using _timer = this.#options.clock.after(ms, () => resolve(false), true);
    return await Promise.race([work.then(() => true), promise]);
  }

  #exited({ code, signal }: ProcessExit): KeelsonError {
    const { id } = this.#options;
    const how = signal === undefined ? `with code ${code ?? 0}` : `by ${signal}`;
    const words = this.#words.trim();
    const said = words === "" ? "" : `; it said: ${words}`;
    return new KeelsonError("PROCESS_EXITED", `${id}: the guest's process ended ${how}${said}`, {
      hint: "the module starts another for its next call",
      details: { module: id, ...(signal === undefined ? { code: code ?? 0 } : { signal }) },
    });
  }
}
