import { describe, expect, it } from "vitest";
import type { Bytes } from "@keelson/core";
import { FarGuest } from "../../src/isolation/far-guest.ts";
import { writeMake } from "../../src/isolation/host-messages.ts";
import { readAnswer, writeCall, writeLoad } from "../../src/isolation/messages.ts";
import { meter } from "../../src/meter/index.ts";
import { wat } from "../support/wat.ts";

/** How long an endless guest of a `cpuMs` of 50 lasted, ms, when 30 pass at once in its midst, `ran` of which its thread had a core; undefined: nobody can tell. */
function lasted(ran: number | undefined): number {
  let time = performance.now();
  let cpu = 7;
  let looks = 0;
  const now = (): number => {
    const jumps = looks++ === 100;
    cpu += jumps ? (ran ?? 0) : 0.1;
    return (time += jumps ? 30 : 0.1);
  };
  const sent: Bytes[] = [];
  const guest = new FarGuest({
    head: 0,
    clock: { now, ...(ran !== undefined && { ran: () => cpu }) },
    send: (message) => void sent.push(message),
    ask: () => {
      throw new Error("it asks nobody");
    },
  });
  const { bytes, meta } = meter(wat(`(module (func (export "f") (loop (br 0))))`), { mode: "exact" });
  const metered = { meta, fuel: undefined, cpuMs: 50 };
  guest.receive(
    writeLoad({ id: "far", abi: "raw", maxMemoryBytes: 2 ** 20, metered, fresh: false }, bytes, 0),
  );
  guest.receive(writeMake([], 0));
  looks = 0;
  const begun = time;
  guest.receive(writeCall({ method: "f", payload: undefined, leftMs: Infinity, measure: false }, 0));
  const answer = readAnswer(sent.at(-1)!, 0);
  expect(answer).toMatchObject({ kind: "error", dead: true, error: { code: "DEADLINE_EXCEEDED" } });
  return Math.round(time - begun);
}

describe("a guest on the far side of a line", () => {
  it("is not given back what a collection of garbage took, where its line tells what the thread ran", () =>
    expect(lasted(30)).toBe(50));

  it("is given back what somebody else had the core for", () => {
    expect(lasted(0)).toBe(75);
    expect(lasted(undefined)).toBe(75);
  });
});
