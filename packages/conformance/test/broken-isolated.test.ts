import { describe } from "vitest";
import { declareBroken, isIsolated } from "./broken-subjects.ts";

describe("every check of isolated guests fails against a subject that does not keep its promise", () => {
  declareBroken(isIsolated);
});
