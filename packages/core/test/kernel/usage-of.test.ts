import { expect, expectTypeOf, test } from "vitest";
import { KeelsonError, usageOf, type Usage } from "../../src/index.ts";

const usage: Usage = { fuel: 5, cpuMs: 20, memoryPeakBytes: 65_536 };

test("what a failed call had used is read from its error, with its type", () => {
  const error = new KeelsonError("DEADLINE_EXCEEDED", "late", { details: { limit: "cpuMs", usage } });
  expect(usageOf(error)).toBe(usage);
  expectTypeOf(usageOf(error)).toEqualTypeOf<Usage | undefined>();
});

test.each([
  ["no error", undefined],
  ["an error of another kind", Object.assign(new Error("x"), { details: { usage } })],
  ["an error without details", new KeelsonError("ABORTED", "x")],
  ["details that a child made up", new KeelsonError("CALL_FAILED", "x", { details: { usage: "much" } })],
  ["no usage at all", new KeelsonError("CALL_FAILED", "x", { details: { usage: null } })],
  ["a part of it", new KeelsonError("CALL_FAILED", "x", { details: { usage: { fuel: 1, cpuMs: 1 } } })],
  [
    "figures that are none",
    new KeelsonError("CALL_FAILED", "x", { details: { usage: { ...usage, fuel: NaN } } }),
  ],
])("%s tells of no usage", (_what, error) => {
  expect(usageOf(error)).toBeUndefined();
});
