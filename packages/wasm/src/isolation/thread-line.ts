import {
  asKeelsonError,
  KeelsonError,
  type Bytes,
  type Clock,
  type Workers,
  type WorkerThread,
} from "@keelson/core";
import { threadProgram } from "../programs.ts";
import { BrokenMessage } from "./codec.ts";
import type { HostCalls } from "./host-calls.ts";
import { writeOver } from "./host-messages.ts";
import type { Line, LineEnd } from "./line.ts";
import { LogRoom } from "./log-room.ts";
import { kindOf, readLog, Tell, type LogMessage } from "./messages.ts";
import { Question } from "./question.ts";
import { SharedAnswer } from "./shared-answer.ts";
import type { ThreadLoad } from "./thread.ts";

/** What a thread has to know before anything is asked of it. */
export type ThreadCode = Omit<ThreadLoad, "interrupt" | "answers" | "room">;

/** Options of {@link ThreadLine}. */
export interface ThreadLineOptions {
  readonly id: string;
  readonly clock: Pick<Clock, "after">;
  readonly log: (record: LogMessage) => void;
}

const HINT = "the module makes another thread for its next call";

const NOTHING_LEFT: LineEnd = { orphans: [] };

/**
 * A line to a thread. The guest in it is metered: it is stopped by a flag that it looks at between two slices. The thread is
 * terminated only while it is idle, for a busy one would go on for ever on some runtimes.
 */
export class ThreadLine implements Line {
  readonly head = 0;
  uses = 0;
  host: HostCalls | undefined;
  failure: KeelsonError | undefined;
  readonly #options: ThreadLineOptions;
  readonly #thread: WorkerThread;
  readonly #interrupt = new Int32Array(new SharedArrayBuffer(4));
  readonly #answers = new SharedAnswer();
  readonly #question = new Question();
  readonly #room = new LogRoom();
  /** Acknowledges what came of the log. */
  #turn: Disposable | undefined;

  constructor(workers: Workers, code: ThreadCode, options: ThreadLineOptions) {
    this.#options = options;
    this.#thread = workers.start(threadProgram, (message) => this.#hear(message as Bytes));
    const shared = {
      interrupt: this.#interrupt,
      answers: this.#answers.buffer,
      room: this.#room.buffer,
    };
    this.#thread.post({ ...code, ...shared } satisfies ThreadLoad);
    void this.#thread.exited.then(({ error }) => this.#fail(exited(options.id, error)));
  }

  tell(message: Bytes): void {
    if (this.failure === undefined) this.#thread.post(message);
  }

  ask(message: Bytes): Promise<Bytes> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    // The thread is idle: what was raised before was meant for an earlier question.
    Atomics.store(this.#interrupt, 0, 0);
    return this.#question.put(() => this.#thread.post(message, transferable(message)));
  }

  answer(message: Bytes): void {
    this.#answers.put(message);
  }

  stop(): void {
    Atomics.store(this.#interrupt, 0, 1);
    this.#room.wake();
  }

  fit(): boolean {
    return this.failure === undefined && !this.#question.open;
  }

  distrust(cause: unknown): KeelsonError {
    const error = new KeelsonError(
      "WORKER_EXITED",
      `${this.#options.id}: the guest's thread broke its protocol`,
      {
        hint: HINT,
        cause,
      },
    );
    void this.end(error);
    return error;
  }

  async end(why: KeelsonError): Promise<LineEnd> {
    this.stop();
    this.#fail(why);
    // A thread that waits for its host is not idle: one that waits now, and one that asks before it sees the flag, which nobody will hear.
    if (this.host?.giveUp("ABORTED") !== true) this.answer(writeOver("ABORTED", 0));
    await this.#thread.terminate();
    return NOTHING_LEFT;
  }

  #hear(message: Bytes): void {
    if (this.failure !== undefined) return;
    try {
      this.#receive(message);
    } catch (error) {
      this.distrust(error);
    }
  }

  #receive(message: Bytes): void {
    const kind = kindOf(message);
    if (kind === Tell.log) this.#takeRecord(message);
    else if (kind === Tell.hostCall) this.#serve(message);
    else if (kind === Tell.more) this.#answers.putMore();
    else {
      this.host?.answered();
      if (!this.#question.answer(message)) throw new BrokenMessage("an answer to no question");
    }
  }

  /** By a timer, so that timers have their turn however much is logged: on Deno messages go before them. */
  #takeRecord(message: Bytes): void {
    this.#room.came(message.length);
    this.#turn ??= this.#options.clock.after(0, () => {
      this.#turn = undefined;
      this.#room.acknowledge();
    });
    this.#options.log(readLog(message, 0));
  }

  #serve(message: Bytes): void {
    if (this.host === undefined) this.answer(writeOver("ABORTED", 0));
    else this.host.serve(message, this);
  }

  #fail(why: KeelsonError): void {
    this.failure ??= why;
    this.#turn?.[Symbol.dispose]();
    this.#question.fail(why);
  }
}

/** Moving a buffer costs more than copying a small one. */
function transferable({ buffer }: Bytes): readonly ArrayBuffer[] | undefined {
  return buffer.byteLength > 16_384 ? [buffer] : undefined;
}

function exited(id: string, error: unknown): KeelsonError {
  if (error === undefined)
    return new KeelsonError("WORKER_EXITED", `${id}: the guest's thread has ended`, { hint: HINT });
  return asKeelsonError(error, "WORKER_EXITED", `${id}: the guest's thread ended with an error`, {
    hint: HINT,
  });
}
