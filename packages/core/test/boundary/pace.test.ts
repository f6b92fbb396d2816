import { describe, expect, test } from "vitest";
import { Pace } from "../../src/boundary/pace.ts";
import type { Clock } from "../../src/contract/platform.ts";
import { settle } from "../../src/testing/index.ts";

/** A pace whose taker needs `costs[n]` ms for the n-th piece, the last one for all further ones. */
function scene(...costs: number[]) {
  let now = 0;
  const timers: (() => void)[] = [];
  const asked: unknown[][] = [];
  const clock: Clock = {
    now: () => now,
    wall: () => now,
    after(ms, run, ...more) {
      asked.push([ms, ...more]);
      timers.push(run);
      return { [Symbol.dispose]: () => {} };
    },
  };
  const pieces: number[] = [];
  const taken: Uint8Array[] = [];
  const take = (piece: Uint8Array): void => {
    now += costs[Math.min(pieces.length, costs.length - 1)] as number;
    pieces.push(piece.length);
    taken.push(piece);
  };
  const pace = new Pace(clock);
  return {
    pieces,
    asked,
    hand: (bytes: number) => pace.hand(new Uint8Array(bytes), take),
    turn: (): void => timers.splice(0).forEach((run) => run()),
    /** Hands `bytes`; answers how many pieces were taken before each turn that was waited for. */
    async all(bytes: number): Promise<number[]> {
      const waits: number[] = [];
      const chunk = new Uint8Array(bytes);
      let done = false;
      taken.length = 0;
      void Promise.resolve(pace.hand(chunk, take)).then(() => (done = true));
      await settle();
      for (let turn = 0; turn < 100 && !done; turn++) {
        waits.push(pieces.length);
        timers.splice(0).forEach((run) => run());
        await settle();
      }
      let from = 0;
      for (const piece of taken) {
        expect([piece.buffer === chunk.buffer, piece.byteOffset]).toEqual([true, from]);
        from += piece.length;
      }
      expect(from).toBe(bytes);
      return waits;
    },
  };
}

describe("the pace of reading", () => {
  test("pieces that take long become smaller, down to 256 bytes, and every 20 ms other work has its turn", async () => {
    const { all, pieces } = scene(9);
    const waits = await all(20_000);
    expect(pieces).toEqual([8192, 4096, 2048, 1024, 512, ...Array<number>(16).fill(256), 32]);
    expect(waits).toEqual([3, 6, 9, 12, 15, 18, 21]);
  });

  test("pieces that take no time become larger, and every 256 KiB other work has its turn", async () => {
    const { all, pieces, asked } = scene(0);
    const waits = await all(2 ** 20);
    expect(pieces).toEqual([8192, 16_384, 32_768, 65_536, 131_072, 262_144, 524_288, 8192]);
    expect(waits).toEqual([6, 7]);
    expect(asked).toEqual([
      [0, true],
      [0, true],
    ]);
  });

  test.each([8, 2])("pieces that take %s ms stay as they are", async (ms) => {
    const { all, pieces } = scene(ms);
    await all(3 * 8192 + 1);
    expect(pieces).toEqual([8192, 8192, 8192, 1]);
  });

  test("one smaller than it might be does not make the next larger", async () => {
    const { all, hand, pieces } = scene(0);
    expect(hand(8191)).toBeUndefined();
    await all(8193);
    expect(pieces).toEqual([8191, 8192, 1]);
  });

  test("what is taken whole costs no promise until a turn is due, and a turn counts all anew", async () => {
    const { hand, turn, asked, pieces } = scene(4, 1, 14, 1, 4, 1);
    expect(hand(1)).toBeUndefined();
    expect(asked).toHaveLength(0);
    // 5 ms: a turn is asked for, once; 20 ms: it is waited for.
    expect(hand(1)).toBeUndefined();
    expect(hand(1)).toBeUndefined();
    expect(asked).toHaveLength(1);
    const wait = hand(1);
    expect(wait).toBeInstanceOf(Promise);
    turn();
    await wait;
    expect(hand(1)).toBeUndefined();
    expect(asked).toHaveLength(1);
    expect(hand(1)).toBeUndefined();
    expect(asked).toHaveLength(2);
    expect(pieces).toHaveLength(6);
  });

  test("bytes count as time does: 64 KiB ask for a turn", async () => {
    const { hand, asked } = scene(0);
    for (let count = 1; count < 8; count++) expect(hand(8192)).toBeUndefined();
    expect(hand(8191)).toBeUndefined();
    expect(asked).toHaveLength(0);
    expect(hand(1)).toBeUndefined();
    expect(asked).toHaveLength(1);
  });
});
