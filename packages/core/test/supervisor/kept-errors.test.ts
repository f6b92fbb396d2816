import { describe, expect, test } from "vitest";
import { collectGarbage } from "../../../../tools/vitest/collect.ts";
import { currentRuntime } from "../../../../tools/vitest/runtime.ts";
import { KeelsonError } from "../../src/contract/errors.ts";
import { scene, type Scene } from "./child.ts";

const TIMES = 12;
/** JavaScriptCore takes what lies on the stack for a pointer. */
const LEFT = 3;

/** What an ended child leaves behind: whatever the functions on its error's stack were called on. */
class Remains {
  fail(cause?: unknown): KeelsonError {
    return new KeelsonError("PROCESS_EXITED", "it ended", {
      hint: "look at its log",
      details: { code: 3 },
      ...(cause === undefined ? {} : { cause }),
    });
  }

  throwOwn(): Error {
    return new Error("a module's own");
  }
}

/** Lets a child crash again and again with what `fail` makes on remains of its own. */
function crashes({ child }: Scene, fail: (remains: Remains) => KeelsonError): WeakRef<Remains>[] {
  return Array.from({ length: TIMES }, () => {
    const remains = new Remains();
    child.tell({ type: "started" });
    child.tell({ type: "exited", exit: { reason: "crash", error: fail(remains) } });
    child.tell({ type: "stopped" });
    return new WeakRef(remains);
  });
}

async function expectGone(all: Scene, remains: readonly WeakRef<Remains>[]): Promise<void> {
  expect(
    all.supervisor.transitions().filter(({ error }) => error !== undefined).length,
  ).toBeGreaterThanOrEqual(TIMES);
  await collectGarbage();
  expect(remains.filter((one) => one.deref() !== undefined).length).toBeLessThanOrEqual(LEFT);
}

// V8 keeps the receivers of all functions on an error's stack until that is read, and on Deno for as long as the error.
describe("a transition keeps nothing of what ended", () => {
  test("but what its error says", async () => {
    const all = scene({ policy: "never" });
    const remains = crashes(all, (one) => one.fail());
    await expectGone(all, remains);
    const { error } = all.seen.find(({ to }) => to === "failed") ?? {};
    expect(error).toMatchObject({ code: "PROCESS_EXITED", hint: "look at its log", details: { code: 3 } });
    expect(error?.message).toContain("it ended");
    expect(error?.stack).toContain("kept-errors.test.ts");
  });

  test("and nothing of the errors that its error came of", async () => {
    const all = scene({ policy: "never" });
    const remains = crashes(all, (one) => one.fail(one.fail()));
    await expectGone(all, remains);
    expect(all.seen.find(({ to }) => to === "failed")?.error?.cause).toMatchObject({
      code: "PROCESS_EXITED",
    });
  });

  test("when the supervisor gives up", async () => {
    const all = scene({ policy: "always", intensity: { max: 0, withinMs: 1000 } });
    const remains = crashes(all, (one) => one.fail());
    await expectGone(all, remains);
    expect(all.seen.find(({ to }) => to === "stopped")?.error).toMatchObject({
      code: "RESTART_LIMIT",
      cause: { code: "PROCESS_EXITED" },
    });
  });

  test("also of what a module itself threw", async (context) => {
    if (currentRuntime() === "deno")
      context.skip(
        "Deno holds what is on the stack of an error as long as the error, and this one is the module's own",
      );
    const all = scene({ policy: "never" });
    const thrown: Error[] = [];
    const remains = crashes(all, (one) => {
      const own = one.throwOwn();
      thrown.push(own);
      return one.fail(own);
    });
    await expectGone(all, remains);
    expect(all.seen.find(({ to }) => to === "failed")?.error?.cause).toBe(thrown[0]);
  });

  test("and takes an error that throws when it is looked at", () => {
    const all = scene({ policy: "never" });
    const hostile = new Remains().fail();
    Object.defineProperty(hostile, "details", {
      get() {
        throw new Error("hostile");
      },
    });
    all.child.tell({ type: "started" });
    all.child.tell({ type: "exited", exit: { reason: "crash", error: hostile } });
    expect(all.path()).toEqual(["healthy 0", "failed 0", "stopped 0"]);
  });
});
