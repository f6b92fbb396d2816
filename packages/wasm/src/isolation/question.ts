import type { Bytes, KeelsonError } from "@keelson/core";

/** The one open question of a line. */
export class Question {
  #resolve: ((answer: Bytes) => void) | undefined;
  #reject: ((why: KeelsonError) => void) | undefined;

  get open(): boolean {
    return this.#resolve !== undefined;
  }

  /** Opens it; `send` runs at once and may throw. */
  put(send: () => void): Promise<Bytes> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      try {
        send();
      } catch (error) {
        this.#resolve = this.#reject = undefined;
        throw error;
      }
    });
  }

  /** False when nothing was asked. */
  answer(message: Bytes): boolean {
    const resolve = this.#resolve;
    this.#resolve = this.#reject = undefined;
    resolve?.(message);
    return resolve !== undefined;
  }

  fail(why: KeelsonError): void {
    const reject = this.#reject;
    this.#resolve = this.#reject = undefined;
    reject?.(why);
  }
}
