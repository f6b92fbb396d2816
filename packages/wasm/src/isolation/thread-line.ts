import { asKeelsonError, KeelsonError, type Bytes, type Workers, type WorkerThread } from "@keelson/core";
import { threadProgram } from "../programs.ts";
import type { Line, LineEnd } from "./line.ts";
import { kindOf, readLog, Tell, type LogMessage } from "./messages.ts";
import { Question } from "./question.ts";
import type { ThreadLoad } from "./thread.ts";

/** What a thread has to know before anything is asked of it. */
export type ThreadCode = Omit<ThreadLoad, "interrupt">;

const NOTHING_LEFT: LineEnd = { orphans: [] };

/**
 * A line to a thread. The guest in it is metered: it is stopped by a flag that it looks at between two slices. The thread is
 * terminated only while it is idle, for a busy one would go on for ever on some runtimes.
 */
export class ThreadLine implements Line {
  readonly head = 0;
  uses = 0;
  failure: KeelsonError | undefined;
  readonly #thread: WorkerThread;
  readonly #interrupt = new Int32Array(new SharedArrayBuffer(4));
  readonly #question = new Question();
  readonly #log: (record: LogMessage) => void;

  constructor(workers: Workers, id: string, code: ThreadCode, log: (record: LogMessage) => void) {
    this.#log = log;
    this.#thread = workers.start(threadProgram, (message) => this.#receive(message as Bytes));
    this.#thread.post({ ...code, interrupt: this.#interrupt } satisfies ThreadLoad);
    void this.#thread.exited.then(({ error }) => this.#fail(exited(id, error)));
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

  stop(): void {
    Atomics.store(this.#interrupt, 0, 1);
  }

  fit(): boolean {
    return this.failure === undefined && !this.#question.open;
  }

  async end(why: KeelsonError): Promise<LineEnd> {
    this.stop();
    this.#fail(why);
    await this.#thread.terminate();
    return NOTHING_LEFT;
  }

  #receive(message: Bytes): void {
    if (kindOf(message) === Tell.log) this.#log(readLog(message, 0));
    else this.#question.answer(message);
  }

  #fail(why: KeelsonError): void {
    this.failure ??= why;
    this.#question.fail(why);
  }
}

/** Moving a buffer costs more than copying a small one. */
function transferable({ buffer }: Bytes): readonly ArrayBuffer[] | undefined {
  return buffer.byteLength > 16_384 ? [buffer] : undefined;
}

function exited(id: string, error: unknown): KeelsonError {
  const hint = "the module makes another thread for its next call";
  if (error === undefined)
    return new KeelsonError("WORKER_EXITED", `${id}: the guest's thread has ended`, { hint });
  return asKeelsonError(error, "WORKER_EXITED", `${id}: the guest's thread ended with an error`, { hint });
}
