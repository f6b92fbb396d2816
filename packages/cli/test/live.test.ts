import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { bin, ENTRY, folderWith, Program, scriptCommand } from "./program.ts";

/** Runs the command line under a terminal of its own, made by util-linux's script(1). */
function onTerminal(cwd: string, args: readonly string[], env: Readonly<Record<string, string>>): Program {
  const [command, words] = scriptCommand(bin, ...args);
  // exec, so that no shell stands between the terminal and the program.
  const line = `stty cols 100 rows 30; exec ${[command, ...words].map((word) => `'${word}'`).join(" ")}`;
  return new Program("script", ["-qec", line, "/dev/null"], { cwd, env });
}

const FILES = {
  "keelson.config.ts": `import { defineConfig, nativeModule } from "${ENTRY}";
    export default defineConfig({ modules: [nativeModule({ id: "greeter", version: "1.0.0" })] });`,
};

test("on a terminal run draws a table that follows the modules, and Ctrl-C ends it with the report", async (context) => {
  if (!existsSync("/usr/bin/script")) return context.skip("script(1) of util-linux is not installed");
  const program = onTerminal(folderWith(FILES), ["run", "keelson.config.ts"], { NO_COLOR: "" });
  await program.said("running");
  // As the terminal does when Ctrl-C is typed.
  program.child.stdin.write("\u0003");
  const { code, stdout } = await program.ended;
  expect(stdout).toContain("\u001b[?25l");
  expect(stdout).toMatch(/\u001b\[\d+A\r\u001b\[0J/);
  expect(stdout).toContain("\u001b[32mrunning\u001b[0m");
  expect(stdout).toContain("\u001b[?25h");
  expect(stdout).toContain("shut down: 1 stopped");
  expect(code).toBe(0);
});

test("NO_COLOR leaves the table and takes the colours", async (context) => {
  if (!existsSync("/usr/bin/script")) return context.skip("script(1) of util-linux is not installed");
  const { stdout, code } = await onTerminal(folderWith(FILES), ["run", "keelson.config.ts", "--once"], {
    NO_COLOR: "1",
  }).ended;
  expect(stdout).toMatch(/greeter +native +1\.0\.0 +running/);
  // oxlint-disable-next-line no-control-regex -- colours are what is looked for
  expect(stdout).not.toMatch(/\u001b\[\d*m/);
  expect(code).toBe(0);
});
