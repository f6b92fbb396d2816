import { expect, test } from "vitest";

/** The runtime that really executes this file. */
function currentRuntime(): "node" | "deno" | "bun" {
  if ("Deno" in globalThis) return "deno";
  if ("Bun" in globalThis) return "bun";
  return "node";
}

const expected = process.env["KEELSON_EXPECT_RUNTIME"];

test.skipIf(expected === undefined)("the tests run on the runtime that the script names", () => {
  expect(currentRuntime()).toBe(expected);
});

test.skipIf(currentRuntime() !== "node")("Node is the pinned one, not the system's", () => {
  expect(Number(process.versions.node.split(".")[0])).toBeGreaterThanOrEqual(24);
});
