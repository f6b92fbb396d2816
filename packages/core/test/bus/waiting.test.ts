import { describe, expect, test } from "vitest";
import { Exchange } from "../../src/bus/exchange.ts";
import { Requests, type Responder } from "../../src/bus/requests.ts";
import { Waiting, type WaitingSet } from "../../src/bus/waiting.ts";
import { KeelsonError } from "../../src/contract/errors.ts";
import { DeadlineQueue } from "../../src/primitives/deadline.ts";
import { createTestPlatform, type TestPlatform } from "../../src/testing/index.ts";
import { rejection } from "../support/errors.ts";

interface Started {
  readonly waiting: Waiting<number>;
  readonly among: WaitingSet;
  readonly platform: TestPlatform;
  /** What onEnd was told, each time. */
  readonly ends: (string | undefined)[];
}

function start(timeoutMs: number, signal?: AbortSignal): Started {
  const platform = createTestPlatform();
  const { clock } = platform;
  const among: WaitingSet = new Set();
  const ends: (string | undefined)[] = [];
  const waiting = new Waiting<number>({
    ...{ deadlines: new DeadlineQueue(clock), among, what: "It", topic: "a", timeoutMs, signal },
    until: clock.now() + timeoutMs,
    onEnd: (error) => ends.push(error?.code),
  });
  return { waiting, among, platform, ends };
}

describe("what waits", () => {
  test("is among the others until it ends, and ends once", async () => {
    const { waiting, among, ends, platform } = start(10);
    expect(among.size).toBe(1);
    waiting.succeed(1);
    waiting.succeed(2);
    waiting.fail(new KeelsonError("INTERNAL", "too late"));
    expect(await waiting.promise).toBe(1);
    expect([among.size, ends, platform.clock.pending]).toEqual([0, [undefined], 0]);
  });

  test("is among the others no more after its time-out, its signal or a failure", async () => {
    const controller = new AbortController();
    const late = start(10);
    const aborted = start(10, controller.signal);
    const failed = start(10);
    const ends = [late, aborted, failed].map(({ waiting }) => rejection(waiting.promise));
    await late.platform.clock.advance(10);
    controller.abort();
    failed.waiting.fail(new KeelsonError("DOOR_CLOSED", "closed"));
    expect((await Promise.all(ends)).map(({ code }) => code)).toEqual([
      "DEADLINE_EXCEEDED",
      "ABORTED",
      "DOOR_CLOSED",
    ]);
    expect([late, aborted, failed].map(({ among }) => among.size)).toEqual([0, 0, 0]);
  });

  test("with a signal that has fired ends at once", async () => {
    const { waiting, among, platform } = start(10, AbortSignal.abort());
    expect((await rejection(waiting.promise)).code).toBe("ABORTED");
    expect([among.size, platform.clock.pending]).toEqual([0, 0]);
  });

  test("a responder forgets what it has answered, and what was given up", async () => {
    const platform = createTestPlatform();
    const requests = new Requests(new Exchange(platform));
    const among: WaitingSet = new Set();
    const answers: ((value: number) => void)[] = [];
    const responder: Responder = {
      topic: "a",
      source: "server",
      run: () => new Promise((resolve) => answers.push(resolve)),
      open: new Set(),
    };
    requests.attach(responder);
    const asked = [1, 2].map((timeoutMs) =>
      requests.request({ source: "client", waiting: among }, "a", 0, { timeoutMs }),
    );
    expect(responder.open.size).toBe(2);
    const late = rejection(Promise.resolve(asked[0]));
    await platform.clock.advance(1);
    await late;
    expect(responder.open.size).toBe(1);
    answers[1]?.(5);
    expect(await asked[1]).toBe(5);
    expect([responder.open.size, among.size]).toEqual([0, 0]);
    // One that was given up while the responder ran never counts as open.
    const controller = new AbortController();
    const { signal } = controller;
    const quick: Responder = {
      ...responder,
      topic: "b",
      run: () => (controller.abort(), new Promise(() => {})),
    };
    requests.attach(quick);
    const given = requests.request({ source: "client", waiting: among }, "b", 0, { signal });
    expect((await rejection(Promise.resolve(given))).code).toBe("ABORTED");
    expect([quick.open.size, among.size]).toEqual([0, 0]);
  });
});
