import process from "node:process";
import { expect, test } from "vitest";
import { currentRuntime } from "../vitest/runtime.ts";

const expected = process.env["KEELSON_EXPECT_RUNTIME"];

test("the tests run on the runtime that the script names", () => {
  expect(currentRuntime()).toBe(expected ?? "node");
});

test("the runtime is the pinned one or newer, not the system's", () => {
  const running = globalThis as { Deno?: { version: { deno: string } }; Bun?: { version: string } };
  const version = running.Deno?.version.deno ?? running.Bun?.version ?? process.versions.node;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const least = { node: 24_00, deno: 2_09, bun: 1_04 }[currentRuntime()];
  expect(major * 100 + minor).toBeGreaterThanOrEqual(least);
});
