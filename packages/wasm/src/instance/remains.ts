/** What ended instances may hold until the collector is asked for it, bytes. */
const MAX_BYTES = 256 * 2 ** 20;
/** What asks for it, bytes: as much as V8 lets pass between two collections. */
const PRESSURE_BYTES = 64 * 2 ** 20;
/**
 * What must have been left since the collector was asked last, bytes. What was collected is told between two turns of the event loop: in a long turn, or where
 * somebody keeps what ended, asking for each instance would have the engine collect for each.
 */
const STEP_BYTES = 32 * 2 ** 20;

/**
 * The memories of ended instances that the engine has not collected yet. V8 does not count them among what makes it collect: guests that fill
 * their memory and trap, one after the other, left gigabytes. An array buffer is counted, and takes nothing while nobody writes to it.
 */
export class Remains {
  #bytes = 0;
  /** Since the collector was asked last. */
  #added = 0;
  readonly #collected: FinalizationRegistry<number>;
  readonly #allocate: (bytes: number) => unknown;

  /** @param allocate makes an array buffer of this length; tests count them */
  constructor(allocate: (bytes: number) => unknown = (bytes) => new ArrayBuffer(bytes)) {
    this.#allocate = allocate;
    this.#collected = new FinalizationRegistry((bytes) => {
      this.#bytes -= bytes;
    });
  }

  /** Counts what an ended instance held. @param holder goes when its memory does */
  add(holder: object, bytes: number): void {
    if (bytes === 0) return;
    this.#bytes += bytes;
    this.#added += bytes;
    this.#collected.register(holder, bytes);
  }

  /** Lets the engine collect, when much is left, and more than when it was asked last; before another instance is made. */
  press(): void {
    if (this.#bytes <= MAX_BYTES || this.#added < STEP_BYTES) return;
    this.#added = 0;
    try {
      this.#allocate(PRESSURE_BYTES);
    } catch {
      // There is no room: the engine has tried to make some.
    }
  }
}
