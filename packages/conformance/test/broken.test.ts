import { describe, expect, test } from "vitest";
import { allChecks, createSubject, runCheck, skipReason } from "../src/index.ts";
import { adapter } from "./adapter.ts";
import { broken } from "./broken/index.ts";

describe("every check fails against a subject that does not keep its promise", () => {
  const subject = createSubject(adapter);

  test("there is such a subject for each check, and none without a check", () => {
    expect(Object.keys(broken).sort()).toEqual(allChecks.map(({ id }) => id).sort());
  });

  /** Those whose subject hangs, which the check's own time alone can show. */
  const hangs = new Set([
    "lifecycle.stop-aborts-hung-start",
    "lifecycle.deadlines",
    "lifecycle.one-blocks-no-other",
    "pooled.call-cycle",
  ]);

  for (const check of allChecks) {
    const breaking = broken[check.id];
    const reason = skipReason(check, subject);
    if (breaking === undefined) continue;
    test(check.id, async (context) => {
      if (reason !== undefined) context.skip(reason);
      const error: unknown = await runCheck(
        check,
        breaking(subject),
        hangs.has(check.id) ? 1_000 : 45_000,
      ).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(Error);
      expect(/did not end within/.test((error as Error).message)).toBe(hangs.has(check.id));
    });
  }
});
