import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { ensureBuilt } from "../src/plugins.ts";
import { currentRuntime } from "../src/runtime.ts";

beforeAll(ensureBuilt, 120_000);

const cli = fileURLToPath(new URL("../../../packages/cli/src/bin.ts", import.meta.url));
const plugins = fileURLToPath(new URL("../dist/plugins/", import.meta.url));
const page = readFileSync(new URL("../../../docs/command-line.md", import.meta.url), "utf8");
const before = { node: [], deno: ["run", "-A"], bun: ["--bun"] }[currentRuntime()];

/** Without what differs from run to run. */
function lasting(output: string): string {
  return output.replace(/^took .*$/m, "took").trim();
}

test.each(["inspect", "meter"])(
  "docs/command-line.md shows what `keelson %s` prints of a plugin of the demo",
  async (command) => {
    const shown = new RegExp(`\\$ keelson ${command} typography\\.wasm\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1];
    const args = [...before, cli, command, "typography.wasm"];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: plugins,
      env: { ...process.env, NO_COLOR: "1" },
    });
    expect(lasting(stdout)).toBe(lasting(shown ?? ""));
  },
  30_000,
);
