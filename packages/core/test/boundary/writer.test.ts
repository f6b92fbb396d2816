import { describe, expect, test } from "vitest";
import { LineWriter } from "../../src/boundary/writer.ts";
import type { Process } from "../../src/contract/platform.ts";
import type { MaybePromise } from "../../src/contract/value.ts";
import { settle } from "../../src/testing/index.ts";

function scene(maxQueued: number, write: (text: string) => MaybePromise<void> = () => {}) {
  const written: string[] = [];
  const failures: unknown[] = [];
  const process = {
    write(text: string) {
      written.push(text);
      return write(text);
    },
  } as unknown as Process;
  const writer = new LineWriter(process, maxQueued, (cause) => failures.push(cause));
  return { writer, written, failures };
}

describe("writing lines to a child", () => {
  test("what waits for a child that does not read fits the limit to the character, and goes out as one", async () => {
    const full = Promise.withResolvers<void>();
    const { writer, written } = scene(4, (text) => (text === "a" ? full.promise : undefined));
    expect(writer.write("12345")).toBe(false);
    expect(writer.write("1234")).toBe(true);
    expect(writer.write("a")).toBe(true);
    expect([writer.write("bc"), writer.write("de"), writer.write("f")]).toEqual([true, true, false]);
    expect(written).toEqual(["1234", "a"]);
    full.resolve();
    await settle();
    expect(written).toEqual(["1234", "a", "bcde"]);
    expect(writer.write("g")).toBe(true);
    expect(written.at(-1)).toBe("g");
  });

  test.each<[string, (error: Error) => MaybePromise<void>]>([
    [
      "at once",
      (error) => {
        throw error;
      },
    ],
    ["later", (error) => Promise.reject(error)],
  ])("a write that fails %s is told once and closes the writer", async (_, fail) => {
    const error = new Error("broken");
    const { writer, written, failures } = scene(10, () => fail(error));
    writer.write("a");
    writer.write("b");
    await settle();
    expect(failures).toEqual([error]);
    expect(writer.closed).toBe(true);
    expect(writer.write("c")).toBe(false);
    expect(written).toEqual(["a"]);
  });

  test("a write that fails at once is not taken", () => {
    const { writer } = scene(10, () => {
      throw new Error("broken");
    });
    expect(writer.write("a")).toBe(false);
  });

  test.each(["resolve", "reject"] as const)("what waits when it is closed goes nowhere (%s)", async (how) => {
    const full = Promise.withResolvers<void>();
    const { writer, written, failures } = scene(10, () => full.promise);
    writer.write("a");
    writer.write("b");
    writer.close();
    full[how]();
    await settle();
    expect(written).toEqual(["a"]);
    expect(failures).toEqual([]);
    expect(writer.write("c")).toBe(false);
  });
});
