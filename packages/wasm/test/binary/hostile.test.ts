import { isKeelsonError } from "@keelson/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ECHO, keelsonGuest } from "../support/guests.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const GUEST = wat(keelsonGuest(ECHO));

/** Opens it; whatever happens must be an instance or a KeelsonError. The guest's code is not entered: it may loop. */
async function probe(bytes: Uint8Array<ArrayBuffer>): Promise<"opened" | "refused"> {
  try {
    const { instance } = await open({ source: bytes, limits: { memory: 4 * 65_536 } });
    expect(instance.memoryBytes).toBeLessThanOrEqual(4 * 65_536);
    instance[Symbol.dispose]();
    return "opened";
  } catch (error) {
    if (!isKeelsonError(error)) throw error;
    expect(error.code).not.toBe("INTERNAL");
    return "refused";
  }
}

const seeded = { seed: 20_261_120, endOnFailure: true };

describe("a damaged binary", () => {
  test("cut at any byte is refused, or is a shorter module", async () => {
    let refused = 0;
    for (let length = 0; length < GUEST.length; length++) {
      if ((await probe(GUEST.slice(0, length))) === "refused") refused++;
    }
    expect(refused).toBeGreaterThan(GUEST.length / 2);
  });

  test("with flipped bits never gets past a KeelsonError", async () => {
    const flips = fc.array(fc.tuple(fc.nat(GUEST.length - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(flips, async (changes) => {
        const bytes = GUEST.slice();
        for (const [at, mask] of changes) bytes[at] = (bytes[at] as number) ^ mask;
        await probe(bytes);
      }),
      { ...seeded, numRuns: 1500 },
    );
  });

  test("of random bytes behind a good header never gets past a KeelsonError", async () => {
    const header = GUEST.slice(0, 8);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (tail) => {
        const bytes = new Uint8Array(8 + tail.length);
        bytes.set(header);
        bytes.set(tail, 8);
        await probe(bytes);
      }),
      { ...seeded, numRuns: 1000 },
    );
  });

  test("of random bytes is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
        expect(await probe(new Uint8Array(bytes))).toBe("refused");
      }),
      { ...seeded, numRuns: 300 },
    );
  });
});
