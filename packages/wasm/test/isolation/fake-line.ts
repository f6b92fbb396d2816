import { KeelsonError, type Bytes } from "@keelson/core";
import type { HostCalls } from "../../src/isolation/host-calls.ts";
import type { Line, LineEnd } from "../../src/isolation/line.ts";
import { Ask, kindOf, writeAnswer, writeError, writeMade } from "../../src/isolation/messages.ts";

const standing = { memoryBytes: 65_536, spent: new Float64Array([3, 2]) };

/** A line whose far end does what the test says: it makes instances at once, and answers calls when it is told to. */
export class FakeLine implements Line {
  readonly head = 0;
  uses = 0;
  host: HostCalls | undefined;
  failure: KeelsonError | undefined;
  /** What {@link fit} says. */
  isFit = true;
  /** Whether instances are made on it. */
  makes = true;
  readonly orphans: { pid: number; command: string }[] = [];
  /** Kinds of what it was told. */
  readonly told: number[] = [];
  stops = 0;
  ends = 0;
  #open: PromiseWithResolvers<Bytes> | undefined;

  tell(message: Bytes): void {
    this.told.push(kindOf(message));
  }

  ask(message: Bytes): Promise<Bytes> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (kindOf(message) === Ask.make && this.makes) return Promise.resolve(writeMade(standing, 0));
    this.#open = Promise.withResolvers();
    return this.#open.promise;
  }

  answer(): void {}

  /** Answers the call in progress. */
  reply(value: number): void {
    this.#open?.resolve(writeAnswer(standing, undefined, value, 0));
  }

  /** The call in progress fails, and the guest is dead. */
  fail(error: KeelsonError): void {
    this.#open?.resolve(writeError(standing, undefined, true, error, 0));
  }

  stop(): void {
    this.stops++;
  }

  fit(): boolean {
    return this.isFit;
  }

  distrust(cause: unknown): KeelsonError {
    const error = new KeelsonError("WORKER_EXITED", "it broke its protocol", { cause });
    void this.end(error);
    return error;
  }

  async end(why: KeelsonError): Promise<LineEnd> {
    this.ends++;
    this.failure ??= why;
    this.#open?.reject(why);
    return { orphans: this.orphans };
  }

  /** It dies of itself. */
  die(): void {
    this.failure = new KeelsonError("WORKER_EXITED", "it died");
  }
}
