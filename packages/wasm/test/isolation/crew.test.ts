import { createTestPlatform, type TestPlatform } from "@keelson/core/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { Crew } from "../../src/isolation/crew.ts";
import { Ask } from "../../src/isolation/messages.ts";
import { failure } from "../support/errors.ts";
import { FakeLine } from "./fake-line.ts";

let platform: TestPlatform;
let started: FakeLine[];
let tally: Float64Array;
let start: () => FakeLine | Promise<FakeLine>;
let crew: Crew;

beforeEach(() => {
  platform = createTestPlatform();
  started = [];
  tally = new Float64Array(2);
  start = () => {
    const line = new FakeLine();
    started.push(line);
    return line;
  };
  const { clock, log } = platform;
  crew = new Crew({ id: "guest", clock, log, tally, start: () => start() });
});

const ends = (): number[] => started.map((line) => line.ends);

describe("the threads or children of a module", () => {
  test("whose guests were stopped are kept for the next ones, two at most; the others are ended", async () => {
    const lines = await Promise.all([1, 2, 3].map(() => crew.open()));
    for (const { line } of lines) crew.giveBack(line, true);
    expect(ends()).toEqual([0, 0, 1]);
    expect(started[0]?.told).toEqual([Ask.drop]);
    expect(await crew.open()).toEqual({ line: started[1], memoryBytes: 65_536 });
    expect((await crew.open()).line).toBe(started[0]);
    expect((await crew.open()).line).toBe(started[3]);
    await crew[Symbol.asyncDispose]();
  });

  test("that are not needed, not fit or used up are ended, and another is started", async () => {
    const first = await crew.open();
    crew.giveBack(first.line, false);
    const second = await crew.open();
    started[1]!.isFit = false;
    crew.giveBack(second.line, true);
    expect(ends()).toEqual([1, 1]);
    for (let use = 0; use < 64; use++) {
      const { line } = await crew.open();
      expect(line).toBe(started[2]);
      crew.giveBack(line, true);
    }
    expect(ends()).toEqual([1, 1, 1]);
    expect((await crew.open()).line).toBe(started[3]);
    await crew[Symbol.asyncDispose]();
  });

  test("that died while nobody used them are not handed out", async () => {
    const { line } = await crew.open();
    crew.giveBack(line, true);
    started[0]?.die();
    expect((await crew.open()).line).toBe(started[1]);
    expect(ends()).toEqual([1, 0]);
    await crew[Symbol.asyncDispose]();
  });

  test("are all ended at its stop, those that are kept and those that just start, and no more are made", async () => {
    const busy = await crew.open();
    crew.giveBack((await crew.open()).line, true);
    const late = Promise.withResolvers<FakeLine>();
    start = () => late.promise;
    // The kept one goes first.
    await crew.open();
    const opening = crew.open();
    const closed = crew[Symbol.asyncDispose]();
    await failure("MODULE_NOT_RUNNING", () => crew.open());
    const line = new FakeLine();
    line.makes = false;
    started.push(line);
    late.resolve(line);
    await failure("MODULE_NOT_RUNNING", () => opening);
    await closed;
    expect(ends().every((count) => count > 0)).toBe(true);
    expect(busy.line.failure?.code).toBe("MODULE_NOT_RUNNING");
    crew.giveBack(busy.line, true);
    await failure("MODULE_NOT_RUNNING", () => crew.open());
    expect(platform.clock.pending).toBe(0);
  });

  test("that could not be ended are told at its stop, and so are those of lines that ended before", async () => {
    const [first, second] = [await crew.open(), await crew.open()];
    started[0]?.orphans.push({ pid: 7, command: "one" });
    started[1]?.orphans.push({ pid: 8, command: "two" });
    crew.giveBack(first.line, false);
    const error = await failure("PROCESS_SURVIVED", () => crew[Symbol.asyncDispose]());
    expect(error.details).toEqual({
      orphans: [
        { pid: 7, command: "one" },
        { pid: 8, command: "two" },
      ],
    });
    expect(second.line.failure).toBeDefined();
  });

  test("have ten seconds to make an instance: HANDSHAKE_TIMEOUT, and the line is ended", async () => {
    start = () => {
      const line = new FakeLine();
      line.makes = false;
      started.push(line);
      return line;
    };
    const failed = failure("HANDSHAKE_TIMEOUT", () => crew.open());
    await platform.clock.advance(9_999);
    expect(ends()).toEqual([0]);
    await platform.clock.advance(1);
    await failed;
    expect(started[0]?.ends).toBeGreaterThan(0);
    expect(platform.clock.pending).toBe(0);
    await crew[Symbol.asyncDispose]();
  });

  test("tell what their guests used, which is counted", async () => {
    await crew.open();
    await crew.open();
    expect([...tally]).toEqual([6, 4]);
    await crew[Symbol.asyncDispose]();
  });
});
