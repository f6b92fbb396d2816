import { expect, test } from "vitest";
import { collectGarbage } from "../../../../tools/vitest/collect.ts";
import { KeelsonError } from "../../src/contract/errors.ts";
import { createKernel } from "../../src/kernel/index.ts";
import { createTestPlatform } from "../../src/testing/index.ts";

const TIMES = 12;
/** JavaScriptCore takes what lies on the stack for a pointer. */
const LEFT = 3;

/** A replaced version that cannot be stopped: on the stack of its error lies all that it was. */
class Replaced {
  stop(): void {
    throw new KeelsonError("MODULE_FAILED", "it would not stop", { details: { why: "stubborn" } });
  }
}

// V8 keeps the receivers of all functions on an error's stack until that is read, and on Deno for as long as the error.
test("what is kept of a failure for the shutdown's report keeps nothing of what failed", async () => {
  const kernel = createKernel({ platform: createTestPlatform() });
  const lives: WeakRef<Replaced>[] = [];
  const version = (n: number) => ({
    metadata: { id: "m", name: "m", version: `1.0.${n}`, kind: "native" },
    create: () => {
      const life = new Replaced();
      lives.push(new WeakRef(life));
      return life;
    },
  });
  await kernel.register(version(0));
  await kernel.start("m");
  for (let n = 1; n <= TIMES; n++) await kernel.reload("m", version(n));
  await collectGarbage();
  expect(lives.filter((life) => life.deref() !== undefined).length).toBeLessThanOrEqual(LEFT);
  const { errors } = await kernel.shutdown();
  expect(errors.length).toBeGreaterThanOrEqual(TIMES);
  expect(errors[0]).toMatchObject({ id: "m", error: { code: "MODULE_FAILED" } });
  expect(errors[0]?.error.stack).toContain("kept-failures.test.ts");
});
