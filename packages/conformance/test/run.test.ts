import { KeelsonError } from "@keelson/core";
import { createTestPlatform } from "@keelson/core/testing";
import { describe, expect, test, vi } from "vitest";
import {
  createSubject,
  declareTests,
  ensure,
  ensureCode,
  ensureEqual,
  formatReport,
  formatResult,
  handled,
  runCheck,
  runChecks,
  skipReason,
  type AdapterModule,
  type Check,
} from "../src/index.ts";

const subject = createSubject({ platform: createTestPlatform });

function check(run: Check["run"], more: Partial<Check> = {}): Check {
  return { id: "own.check", title: "is kept", run, ...more };
}

const invalid = expect.objectContaining({ code: "INVALID_OPTIONS" }) as KeelsonError;

describe("a check", () => {
  test("is cleaned up after when it ends, last first, once its signal has fired", async () => {
    const seen: unknown[] = [];
    await runCheck(
      check(async (given, { defer, signal }) => {
        expect(given).toBe(subject);
        defer(() => void seen.push("first", signal.aborted));
        defer(async () => {
          await Promise.resolve();
          seen.push("last");
        });
        seen.push("run", signal.aborted);
      }),
      subject,
    );
    expect(seen).toEqual(["run", false, "last", "first", true]);
  });

  test("that fails is cleaned up after all the same, and its own failure is the one that is told", async () => {
    const seen: string[] = [];
    const failing = check(async (_, { defer }) => {
      defer(() => void seen.push("first"));
      defer(() => {
        seen.push("last");
        throw new Error("of the clean-up");
      });
      throw new Error("its own");
    });
    await expect(runCheck(failing, subject)).rejects.toThrow("its own");
    expect(seen).toEqual(["last", "first"]);
  });

  test("fails by what fails in its clean-up", async () => {
    const messy = check(async (_, { defer }) => defer(() => Promise.reject(new Error("left over"))));
    await expect(runCheck(messy, subject)).rejects.toThrow("left over");
    const { results } = await runChecks([messy], subject);
    expect(results).toMatchObject([{ id: "own.check", status: "failed", reason: "left over" }]);
  });

  test("that does not end is given up when its time is over, and told so by its signal", async () => {
    const told = Promise.withResolvers<void>();
    const endless = check((_, { signal }) => {
      signal.addEventListener("abort", () => told.resolve());
      return new Promise(() => {});
    });
    await expect(runCheck(endless, subject, 20)).rejects.toThrow("the check did not end within 20 ms");
    await told.promise;
  });

  test("whose clean-up does not end is given up after fifteen seconds", async () => {
    vi.useFakeTimers();
    try {
      const stuck = check(async (_, { defer }) => defer(() => new Promise(() => {})));
      const failed = expect(runCheck(stuck, subject)).rejects.toThrow("the clean-up did not end");
      await vi.advanceTimersByTimeAsync(14_999);
      expect(vi.getTimerCount()).toBe(1);
      await vi.advanceTimersByTimeAsync(1);
      await failed;
    } finally {
      vi.useRealTimers();
    }
  });

  test("that throws no error fails with what it threw", async () => {
    const odd = check(() => Promise.reject("a text" as unknown as Error));
    const { results, counts } = await runChecks([odd, check(async () => {})], subject);
    expect(results.map(({ status, reason }) => [status, reason])).toEqual([
      ["failed", "a text"],
      ["passed", undefined],
    ]);
    expect(counts).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });
});

describe("a check that needs something", () => {
  const full: AdapterModule = {
    platform: () => {
      const platform = createTestPlatform();
      const clock = Object.assign(Object.create(platform.clock), { turn: () => {}, ran: () => 0 });
      return { ...platform, clock, supports: { flux: true } };
    },
    child: { command: "x", args: [] },
    wasmModule: () => ({}) as never,
    suspending: (run) => run as never,
    replay: () => ({}) as never,
  };
  const bare: AdapterModule = {
    platform: () => {
      const platform = createTestPlatform();
      const clock = Object.assign(Object.create(platform.clock), { turn: undefined, ran: undefined });
      return { ...platform, clock, supports: { turn: true, child: true }, reasons: { other: "none today" } };
    },
  };

  test.each([
    ["turn", "no turns"],
    ["ran", "what a thread ran"],
    ["child", "run a child program"],
    ["wasmModule", "wasmModule()"],
    ["suspending", "suspending()"],
    ["replay", "replay()"],
    ["flux", "does not support flux"],
    ["other", "none today"],
  ])("is skipped without its %s, with the reason, and run with it", async (feature, says) => {
    const needy = check(async () => {}, { requires: [feature] });
    expect(skipReason(needy, createSubject(bare))).toContain(says);
    const { results, counts } = await runChecks([needy], createSubject(bare));
    expect(results).toMatchObject([{ status: "skipped", reason: expect.stringContaining(says) }]);
    expect(counts).toEqual({ passed: 0, failed: 0, skipped: 1 });
    if (feature !== "other") expect(skipReason(needy, createSubject(full))).toBeUndefined();
  });

  test("needs all of it", () => {
    const needy = check(async () => {}, { requires: ["flux", "other"] });
    expect(skipReason(needy, createSubject(full))).toContain("does not support other");
    expect(
      skipReason(
        check(async () => {}),
        createSubject(bare),
      ),
    ).toBeUndefined();
  });
});

test("what is no check, no subject and no list of checks is INVALID_OPTIONS", async () => {
  const good = check(async () => {});
  for (const junk of [undefined, {}, "x"]) {
    await expect(runCheck(junk as never, subject)).rejects.toEqual(invalid);
    await expect(runCheck(good, junk as never)).rejects.toEqual(invalid);
    await expect(runChecks([], junk as never)).rejects.toEqual(invalid);
    expect(() => skipReason(junk as never, subject)).toThrow(invalid);
    expect(() => skipReason(good, junk as never)).toThrow(invalid);
    await expect(runChecks(junk as never, subject)).rejects.toEqual(invalid);
    expect(() => handled(junk as never)).toThrow(invalid);
    expect(() => formatReport(junk as never)).toThrow(invalid);
    expect(() => formatResult(junk as never)).toThrow(invalid);
  }
});

test("a name that stands for no check is INVALID_OPTIONS, and never a suite that checks nothing", async () => {
  const ran: string[] = [];
  const checks = ["own.first", "own.second", "other.third"].map((id) =>
    check(async () => void ran.push(id), { id }),
  );
  const declared = (only: readonly string[]): string[] => {
    const names: string[] = [];
    const runner = { test: (name: string) => void names.push(name), skip: () => {} };
    declareTests(runner, { platform: createTestPlatform }, { checks, only });
    return names;
  };
  expect(declared(["own.", "other.third"])).toHaveLength(3);
  expect(declared(["own.second"])).toEqual(["own.second: is kept"]);
  expect((await runChecks(checks, subject, { only: ["other."] })).results).toHaveLength(1);
  expect(ran).toEqual(["other.third"]);
  for (const none of ["own", "own.secon", "oown.", ""]) {
    expect(() => declared(["own.", none])).toThrow(invalid);
    await expect(runChecks(checks, subject, { only: [none] })).rejects.toEqual(invalid);
  }
  await expect(runChecks(checks, subject, { only: ["own.secon"] })).rejects.toMatchObject({
    hint: 'did you mean "own.second"?',
  });
  await expect(runChecks(checks, subject, { only: ["x"] })).rejects.toMatchObject({
    hint: expect.stringMatching(/: own\. other\.$/),
  });
});

describe("what checks are made of", () => {
  test("ensureEqual() takes the same content in any order of keys, and nothing that only looks like it", () => {
    const fits: [unknown, unknown][] = [
      [1, 1],
      [Number.NaN, Number.NaN],
      [
        { a: 1, b: [{ c: 2n, d: undefined }] },
        { b: [{ d: undefined, c: 2n }], a: 1 },
      ],
      [new Uint8Array([1, 2]), new Uint8Array([1, 2])],
      [undefined, undefined],
    ];
    for (const [one, other] of fits) ensureEqual(one, other, "it");
    const differs: [unknown, unknown][] = [
      [1, 2],
      [1, "1"],
      [1n, 1],
      [undefined, "undefined"],
      [null, undefined],
      [
        [1, 2],
        [2, 1],
      ],
      [{ a: 1 }, { a: 1, b: undefined }],
      [{ a: 1n }, { a: "1n" }],
      [{ a: undefined }, { a: "undefined" }],
      [{ a: Number.NaN }, { a: null }],
      [new Uint8Array([1]), { 0: 1 }],
      [new Uint8Array([1]), new Uint8Array([2])],
    ];
    for (const [one, other] of differs)
      for (const pair of [
        [one, other],
        [other, one],
      ])
        expect(() => ensureEqual(pair[0], pair[1], "it"), String(one)).toThrow(/^it: expected /);
  });

  test("ensure() takes what is true alone", () => {
    ensure(true, "yes");
    expect(() => ensure(false, "no")).toThrow(/^no$/);
  });

  test("ensureCode() gives the error of that code, and fails for a value, another code and another error", async () => {
    const error = new KeelsonError("IO", "broken");
    const failing = (thrown: unknown) => (): never => {
      throw thrown;
    };
    expect(await ensureCode(Promise.reject(error), "IO", "it")).toBe(error);
    expect(await ensureCode(failing(error), "IO", "it")).toBe(error);
    await expect(ensureCode(failing(error), "TIMEOUT" as never, "it")).rejects.toThrow("got IO");
    await expect(ensureCode(failing(new TypeError("own")), "IO", "it")).rejects.toThrow("got own");
    await expect(ensureCode(Promise.resolve(7), "IO", "it")).rejects.toThrow("got the value 7");
  });

  test("a promise that is looked after fails whoever awaits it, later too", async () => {
    const failing = handled(Promise.reject(new Error("late")));
    const code = ensureCode(() => 1, "IO", "it");
    await new Promise(setImmediate);
    await expect(failing).rejects.toThrow("late");
    await expect(code).rejects.toThrow("got the value 1");
  });
});

test("a result is a line, with its reason indented behind it, and in colours when asked for", () => {
  const result = { id: "own.check", title: "is kept", status: "failed", reason: "one\ntwo", ms: 3 } as const;
  expect(formatResult(result).split("\n")).toEqual([
    `FAILED  own.check${" ".repeat(31)} is kept (3 ms)`,
    "        one",
    "        two",
  ]);
  expect(formatResult(result, { color: true })).toMatch(/^\u001b\[31mFAILED {2}\u001b\[0mown\.check/);
  expect(formatResult({ ...result, status: "passed", reason: undefined } as never)).not.toContain("\n");
});
