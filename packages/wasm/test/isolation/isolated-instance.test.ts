import { KeelsonError, type Call } from "@keelson/core";
import { createTestPlatform, type TestPlatform } from "@keelson/core/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { Crew } from "../../src/isolation/crew.ts";
import { IsolatedInstance, type Opened } from "../../src/isolation/isolated-instance.ts";
import { Ask } from "../../src/isolation/messages.ts";
import { failure, rejection } from "../support/errors.ts";
import { callOf } from "../support/instance.ts";
import { FakeLine } from "./fake-line.ts";

let platform: TestPlatform;
let started: FakeLine[];
let opening: Promise<unknown> | undefined;
let released: number;

beforeEach(() => {
  platform = createTestPlatform();
  started = [];
  released = 0;
  opening = undefined;
});

async function make(
  manners = { metered: true, deadlineGraceMs: 10, lostMs: 1_000 },
): Promise<{ instance: IsolatedInstance; crew: Crew; line: FakeLine }> {
  const { clock, log } = platform;
  const start = (): FakeLine => {
    const line = new FakeLine();
    started.push(line);
    return line;
  };
  const crew = new Crew({ id: "guest", clock, log, tally: undefined, start });
  const open = async (): Promise<Opened> => {
    await opening;
    return { ...(await crew.open()), host: undefined };
  };
  const options = { id: "guest", crew, clock, log, manners, open };
  const instance = new IsolatedInstance(options, await open(), () => released++);
  return { instance, crew, line: started.at(-1) as FakeLine };
}

/** A call, and what ends it. */
function callEndedBy(): { call: Call; end: (code: "ABORTED" | "DEADLINE_EXCEEDED") => void } {
  const controller = new AbortController();
  const call = { ...callOf("work"), signal: controller.signal };
  return { call, end: (code) => controller.abort(new KeelsonError(code, "it is over")) };
}

describe("a guest elsewhere whose caller gives up", () => {
  test("is told to stop at once, and is given up a second later", async () => {
    const { instance, crew, line } = await make();
    const { call, end } = callEndedBy();
    const failed = failure("ABORTED", () => instance.call(call));
    end("ABORTED");
    expect([line.stops, instance.dead]).toEqual([1, true]);
    await platform.clock.advance(999);
    expect(line.ends).toBe(0);
    await platform.clock.advance(1);
    await failed;
    expect(line.ends).toBeGreaterThan(0);
    expect(platform.log.records.some(({ message }) => message.includes("given up"))).toBe(true);
    expect(platform.clock.pending).toBe(0);
    await crew[Symbol.asyncDispose]();
  });

  test("has a moment to see its deadline itself, and is not stopped when it answers in time", async () => {
    const { instance, crew, line } = await make();
    const { call, end } = callEndedBy();
    const answer = instance.call(call);
    end("DEADLINE_EXCEEDED");
    await platform.clock.advance(9);
    line.reply(1);
    expect(await answer).toBe(1);
    await platform.clock.advance(5_000);
    expect([line.stops, line.ends, platform.clock.pending]).toEqual([0, 0, 0]);
    await crew[Symbol.asyncDispose]();
  });

  test("is stopped ten milliseconds after its deadline", async () => {
    const { instance, crew, line } = await make();
    const { call, end } = callEndedBy();
    const failed = failure("DEADLINE_EXCEEDED", () => instance.call(call));
    end("DEADLINE_EXCEEDED");
    await platform.clock.advance(9);
    expect(line.stops).toBe(0);
    await platform.clock.advance(1);
    expect(line.stops).toBe(1);
    await platform.clock.advance(1_000);
    const error = await failed;
    expect(error.details).toMatchObject({ module: "guest", method: "work", limit: "deadline" });
    await crew[Symbol.asyncDispose]();
  });

  test("and that was told to stop before it saw its deadline is late all the same; any other error stays what it is", async () => {
    const usage = { fuel: 1, cpuMs: 2, memoryPeakBytes: 3 };
    const answers = [
      new KeelsonError("ABORTED", "it was stopped", { details: { limit: "signal", usage } }),
      new KeelsonError("ABORTED", "what it called was given up"),
      new KeelsonError("WASM_TRAP", "it trapped", { details: { limit: "signal" } }),
    ];
    const told: unknown[] = [];
    for (const error of answers) {
      const { instance, crew, line } = await make();
      const { call, end } = callEndedBy();
      const failed = rejection(instance.call(call));
      end("DEADLINE_EXCEEDED");
      await platform.clock.advance(10);
      line.fail(error);
      const { code, details } = await failed;
      told.push({ code, details });
      await crew[Symbol.asyncDispose]();
    }
    expect(told).toEqual([
      { code: "DEADLINE_EXCEEDED", details: { limit: "deadline", usage } },
      { code: "ABORTED", details: undefined },
      { code: "WASM_TRAP", details: { limit: "signal" } },
    ]);
  });

  test("without a meter is stopped at its deadline at once", async () => {
    const { instance, crew, line } = await make({ metered: false, deadlineGraceMs: 0, lostMs: 5_000 });
    const { call, end } = callEndedBy();
    const failed = failure("DEADLINE_EXCEEDED", () => instance.call(call));
    end("DEADLINE_EXCEEDED");
    expect(line.stops).toBe(1);
    await platform.clock.advance(5_000);
    await failed;
    await crew[Symbol.asyncDispose]();
  });

  test("before the call began is stopped as well, and used no more, whatever it answers", async () => {
    const { instance, crew, line } = await make();
    const { call, end } = callEndedBy();
    end("ABORTED");
    const answer = instance.call(call);
    expect(line.stops).toBe(1);
    line.reply(7);
    expect(await answer).toBe(7);
    expect(instance.dead).toBe(true);
    expect(platform.clock.pending).toBe(0);
    await failure("WASM_TRAP", () => instance.call(callOf("work")));
    await crew[Symbol.asyncDispose]();
  });

  test("after its answer is left alone", async () => {
    const { instance, crew, line } = await make();
    const { call, end } = callEndedBy();
    const answer = instance.call(call);
    line.reply(7);
    expect(await answer).toBe(7);
    end("ABORTED");
    await platform.clock.advance(2_000);
    expect([line.stops, line.ends, instance.dead]).toEqual([0, 0, false]);
    await crew[Symbol.asyncDispose]();
  });
});

describe("a guest elsewhere that is not needed any more", () => {
  test("is ended with its line, and gives its place back once", async () => {
    const { instance, crew, line } = await make();
    instance[Symbol.dispose]();
    instance[Symbol.dispose]();
    expect([line.ends, released, instance.dead]).toEqual([1, 1, true]);
    await failure("WASM_TRAP", () => instance.call(callOf("work")));
    await crew[Symbol.asyncDispose]();
  });

  test("leaves its line to the next one when it was stopped", async () => {
    const { instance, crew, line } = await make();
    const { call, end } = callEndedBy();
    const answer = instance.call(call);
    end("ABORTED");
    line.reply(1);
    await answer;
    instance[Symbol.dispose]();
    expect([line.ends, line.told]).toEqual([0, [Ask.drop]]);
    expect((await crew.open()).line).toBe(line);
    await crew[Symbol.asyncDispose]();
  });

  test("in the midst of a call takes its line with it", async () => {
    const { instance, crew, line } = await make();
    const failed = failure("MODULE_NOT_RUNNING", () => instance.call(callOf("work")));
    instance[Symbol.dispose]();
    await failed;
    expect([line.ends > 0, line.told]).toEqual([true, []]);
    await crew[Symbol.asyncDispose]();
  });
});

describe("a guest elsewhere whose line died while nobody used it", () => {
  test("is made anew for the next call, which does not fail", async () => {
    const { instance, crew, line } = await make();
    line.die();
    const answer = instance.call(callOf("work"));
    await platform.clock.advance(0);
    started[1]?.reply(5);
    expect(await answer).toBe(5);
    expect([line.ends, instance.dead]).toEqual([1, false]);
    await crew[Symbol.asyncDispose]();
  });

  test("is not even waited for by a call that was given up before", async () => {
    const { instance, crew, line } = await make();
    line.die();
    const made = Promise.withResolvers<void>();
    opening = made.promise;
    const { call, end } = callEndedBy();
    end("ABORTED");
    await failure("ABORTED", () => instance.call(call));
    made.resolve();
    await crew[Symbol.asyncDispose]();
  });

  test("is not waited for by a call that is given up; what was made all the same is kept for another", async () => {
    const { instance, crew, line } = await make();
    line.die();
    const made = Promise.withResolvers<void>();
    opening = made.promise;
    const { call, end } = callEndedBy();
    const failed = failure("ABORTED", () => instance.call(call));
    end("ABORTED");
    await failed;
    expect(instance.dead).toBe(true);
    made.resolve();
    await platform.clock.advance(0);
    expect(started[1]?.told).toEqual([Ask.drop]);
    expect((await crew.open()).line).toBe(started[1]);
    await crew[Symbol.asyncDispose]();
  });
});
