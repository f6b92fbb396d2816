import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { runtime } from "../adapter.ts";

const program = fileURLToPath(new URL("programs/suite.ts", import.meta.url));
const args = {
  node: ["--test", "--test-reporter=tap", program],
  deno: ["test", "-A", "--no-check", program],
  bun: ["test", program],
}[runtime];
const runner = { node: "node:test", deno: "Deno.test", bun: "bun:test" }[runtime];

interface Outcome {
  readonly code: number;
  readonly text: string;
}

function run(env: Readonly<Record<string, string>>): Promise<Outcome> {
  return new Promise((resolve) => {
    // What this runner tells its own children must not reach another runner.
    const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...inherited } = process.env;
    const options = { env: { ...inherited, NO_COLOR: "1", ...env } };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number((error as { code?: unknown }).code ?? 1);
      resolve({ code, text: `${stdout}\n${stderr}` });
    });
  });
}

describe(`the binding for ${runner}`, () => {
  test("declares a test for each check, and skips with the reason", async () => {
    const { code, text } = await run({});
    expect(text).toContain("pool.max-uses: an instance is replaced after maxUses");
    expect(text).toContain("random.id");
    expect(text).toContain("the platform does not support flux-capacitor");
    expect(code).toBe(0);
  });

  test("a promise that is not kept fails the run", async () => {
    const { code, text } = await run({ KEELSON_WITH_FAILURE: "1" });
    expect(text).toContain("on purpose");
    expect(text).toContain("example.failing");
    expect(code).not.toBe(0);
  });
});
