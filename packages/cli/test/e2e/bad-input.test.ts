import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { badCases } from "./bad/index.ts";
import { judge } from "./bad/case.ts";
import { layGround } from "./ground.ts";

describe.each(Object.entries(badCases))("of %s", (_, cases) => {
  let ground: Awaited<ReturnType<typeof layGround>>;
  beforeAll(async () => void (ground = await layGround()));
  afterAll(() => ground[Symbol.asyncDispose]());

  test.each(cases.map((bad) => [bad.title, bad] as const))(
    "%s is a KeelsonError with its code and a hint, and the kernel lives on",
    async (_title, bad) => {
      expect(await judge(bad, ground)).toBeUndefined();
      expect(ground.kernel.list().map(({ metadata }) => metadata.id)).toEqual(["witness"]);
    },
  );
});
