import { describe, expect, test } from "vitest";
import { allChecks } from "../src/index.ts";
import { broken } from "./broken/index.ts";
import { declareBroken, isIsolated } from "./broken-subjects.ts";

describe("every check fails against a subject that does not keep its promise", () => {
  test("there is such a subject for each check, and none without a check", () => {
    expect(Object.keys(broken).sort()).toEqual(allChecks.map(({ id }) => id).sort());
  });

  declareBroken((id) => !isIsolated(id));
});
