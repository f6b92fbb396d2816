// Each runtime has it.
declare const performance: { now(): number };

/** Where things are in the shared memory, in 32-bit words. */
const TAKEN = 0;
const CHANGES = 1;
const WORDS = 2;

/** How far a thread's log may be ahead of its host. */
const ROOM_BYTES = 4 * 2 ** 20;
/** What the shortest record counts for: a host has about as much work with each. So there are 1,024 at most. */
const RECORD_BYTES = 4_096;

/** Why a thread does not wait any longer. */
export type WaitEnd = "room" | "late" | "stopped";

/**
 * Room for the log records of a thread on their way to its host, counted in shared memory. A guest that logs without end is quicker than its host:
 * its records would fill the host's memory, and hold up whatever the host's event loop serves behind messages.
 */
export class LogRoom {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  /** Bytes sent so far, by the thread's count; it wraps round. */
  #sent = 0;
  /** Bytes that came and were not acknowledged, by the host's count. */
  #came = 0;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  /** The thread counts a record as sent; false when there is no room for it. */
  enter(bytes: number): boolean {
    const size = sizeOf(bytes);
    const ahead = (this.#sent - Atomics.load(this.#words, TAKEN)) | 0;
    if (ahead > 0 && ahead + size > ROOM_BYTES) return false;
    this.#sent = (this.#sent + size) | 0;
    return true;
  }

  /**
   * The thread waits until there is room for a record, until `interrupt` is other than 0, or until the deadline, ms of performance.now; in these cases it is
   * counted all the same.
   */
  enterLater(bytes: number, interrupt: Int32Array, deadline: number): WaitEnd {
    for (;;) {
      // Before all that is asked: what changes from now on ends the wait below.
      const changes = Atomics.load(this.#words, CHANGES);
      if (this.enter(bytes)) return "room";
      const stopped = Atomics.load(interrupt, 0) !== 0;
      const left = deadline - performance.now();
      if (stopped || left <= 0) {
        this.#sent = (this.#sent + sizeOf(bytes)) | 0;
        return stopped ? "stopped" : "late";
      }
      Atomics.wait(this.#words, CHANGES, changes, left);
    }
  }

  /** A record came to the host. */
  came(bytes: number): void {
    this.#came += sizeOf(bytes);
  }

  /** The host makes room again for all that came. */
  acknowledge(): void {
    Atomics.add(this.#words, TAKEN, this.#came | 0);
    this.#came = 0;
    this.wake();
  }

  /** The host has the thread look whether it is to wait any longer. */
  wake(): void {
    Atomics.add(this.#words, CHANGES, 1);
    Atomics.notify(this.#words, CHANGES);
  }
}

function sizeOf(bytes: number): number {
  return Math.max(RECORD_BYTES, bytes);
}
