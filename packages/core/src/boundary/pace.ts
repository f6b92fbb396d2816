import type { Clock } from "../contract/platform.ts";
import { Deferred } from "../primitives/deferred.ts";

/** Read so much, or work so long, and see whether timers still run. */
const LOOK_BYTES = 65_536;
const LOOK_MS = 5;
/** Read so much, or work so long, without a timer having run, and wait for one. */
const WAIT_BYTES = 262_144;
const WAIT_MS = 20;
/** Pieces are made smaller when one takes longer than this, and larger when it takes a quarter of it. */
const PIECE_MS = 8;
const FIRST_PIECE = 8_192;
const LEAST_PIECE = 256;

/**
 * Lets timers and other work have their turn while a child floods its output. Some runtimes answer a read of a full pipe at once, so that
 * whoever reads on and on never comes back to the event loop; and a chunk full of tiny broken lines is a long piece of work by
 * itself. Without this no deadline would pass and no other module would be heard.
 */
export class Pace {
  readonly #clock: Clock;
  #pieceBytes = FIRST_PIECE;
  #bytes = 0;
  #ms = 0;
  #turn: Deferred | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Hands `chunk` to `take`, in pieces that do not take long. Answers undefined when it was taken whole, as nearly all are. */
  hand(chunk: Uint8Array, take: (piece: Uint8Array) => void): Promise<void> | undefined {
    return chunk.length <= this.#pieceBytes ? this.#handPiece(chunk, take) : this.#handAll(chunk, take);
  }

  async #handAll(chunk: Uint8Array, take: (piece: Uint8Array) => void): Promise<void> {
    for (let from = 0; from < chunk.length;) {
      const to = Math.min(chunk.length, from + this.#pieceBytes);
      const turn = this.#handPiece(chunk.subarray(from, to), take);
      if (turn !== undefined) await turn;
      from = to;
    }
  }

  #handPiece(piece: Uint8Array, take: (piece: Uint8Array) => void): Promise<void> | undefined {
    const begun = this.#clock.now();
    take(piece);
    const ms = this.#clock.now() - begun;
    if (ms > PIECE_MS) this.#pieceBytes = Math.max(LEAST_PIECE, this.#pieceBytes >> 1);
    else if (ms * 4 < PIECE_MS && piece.length === this.#pieceBytes) this.#pieceBytes *= 2;
    this.#bytes += piece.length;
    this.#ms += ms;
    if (this.#bytes < LOOK_BYTES && this.#ms < LOOK_MS) return undefined;
    const { promise } = (this.#turn ??= this.#nextTurn());
    return this.#bytes < WAIT_BYTES && this.#ms < WAIT_MS ? undefined : promise;
  }

  /** Settles when a timer has run; all is counted anew from then on. */
  #nextTurn(): Deferred {
    const turn = new Deferred();
    const begin = (): void => {
      this.#turn = undefined;
      this.#bytes = 0;
      this.#ms = 0;
      turn.resolve();
    };
    this.#clock.after(0, begin, true);
    return turn;
  }
}
