import { describe, expect, test } from "vitest";
import { allChecks, createSubject, runCheck, skipReason } from "../src/index.ts";
import { adapter } from "./adapter.ts";
import { broken } from "./broken/index.ts";

describe("every check fails against a subject that does not keep its promise", () => {
  const subject = createSubject(adapter);

  test("there is such a subject for each check, and none without a check", () => {
    expect(Object.keys(broken).sort()).toEqual(allChecks.map(({ id }) => id).sort());
  });

  for (const check of allChecks) {
    const breaking = broken[check.id];
    const reason = skipReason(check, subject);
    if (breaking === undefined) continue;
    test(check.id, async (context) => {
      if (reason !== undefined) context.skip(reason);
      await expect(runCheck(check, breaking(subject), 2_000)).rejects.toBeInstanceOf(Error);
    });
  }
});
