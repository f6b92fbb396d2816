import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { expect, test, type TestContext } from "vitest";
import { argumentsAnew } from "../src/fast-memories.ts";
import { bin, ENTRY, folderWith, keelson, Program, runtime, scriptCommand } from "./program.ts";

/** Memories that the configuration makes. */
const MANY = 20;

/** Address space that they took, in units of what one of the fast kind takes at least; and which variables children inherit. */
async function memoriesOf(env: Readonly<Record<string, string>> = {}): Promise<{
  readonly fast: number;
  readonly inherited: string;
}> {
  const folder = folderWith({
    "keelson.config.ts": `
      import { execFileSync } from "node:child_process";
      import { readFileSync } from "node:fs";
      import process from "node:process";
      import { defineConfig, nativeModule } from "${ENTRY}";
      const space = () => Number(/^VmSize:\\s+(\\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))[1]) / 2 ** 22;
      const before = space();
      const memories = Array.from({ length: ${MANY} }, () => new WebAssembly.Memory({ initial: 1, maximum: 2 }));
      const fast = Math.floor(space() - before);
      const inherited = execFileSync("sh", ["-c", "env | grep -i memories || true"], { encoding: "utf8" }).trim();
      console.log("found " + JSON.stringify({ fast, inherited, memories: memories.length }));
      export default defineConfig({ modules: [nativeModule({ id: "greeter", version: "1.0.0" })] });`,
  });
  const { stdout, stderr, code } = await keelson(["run", "keelson.config.ts", "--once"], folder, env);
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(/found (.*)/.exec(stdout)?.[1] ?? "") as Awaited<ReturnType<typeof memoriesOf>>;
}

function onBunAlone(context: TestContext): void {
  if (runtime !== "bun") context.skip("only Bun has a number of fast memories");
  if (process.platform !== "linux") context.skip("address space is read from /proc");
}

test("on Bun keelson run has fast memories for all instances, and its children inherit nothing of it", async (context) => {
  onBunAlone(context);
  const { fast, inherited } = await memoriesOf();
  expect(fast).toBeGreaterThanOrEqual(MANY);
  expect(inherited).toBe("");
});

test("on Bun keelson run leaves a number that the user has set", async (context) => {
  onBunAlone(context);
  const { fast, inherited } = await memoriesOf({ BUN_JSC_maxNumWasmFastMemories: "3" });
  expect(fast).toBe(3);
  expect(inherited).toBe("BUN_JSC_maxNumWasmFastMemories=3");
});

test("a program begins anew with the flags and arguments that it was begun with", () => {
  const execPath = "/bin/bun";
  const argv = ["bun", "/app/bin.js", "run", "a b", "--cwd"];
  const anew = (...execArgv: string[]): string[] => argumentsAnew({ execPath, execArgv, argv });
  const script = argv.slice(1);
  expect(anew()).toEqual([execPath, "--bun", ...script]);
  expect(anew("--smol", "--bun", "-r", "./x.js")).toEqual([
    execPath,
    "--bun",
    "--smol",
    "-r",
    "./x.js",
    ...script,
  ]);
  // Where it is to be it is already.
  expect(anew("--cwd=a b", "--smol")).toEqual([execPath, "--bun", "--smol", ...script]);
  expect(anew("--smol", "--cwd", "a b")).toEqual([execPath, "--bun", "--smol", ...script]);
  // One that was compiled has no flags, and no script.
  expect(
    argumentsAnew({ execPath: "/app/host", execArgv: [], argv: ["bun", "/$bunfs/root/host", "run", "a b"] }),
  ).toEqual(["/app/host", "run", "a b"]);
});

test("on Bun keelson run begins anew in a directory that Bun was told", async (context) => {
  onBunAlone(context);
  const folder = folderWith({});
  mkdirSync(join(folder, "a b"));
  writeFileSync(
    join(folder, "a b", "keelson.config.ts"),
    `import { defineConfig, nativeModule } from "${ENTRY}";
     console.log("found " + process.cwd());
     export default defineConfig({ modules: [nativeModule({ id: "greeter" })] });`,
  );
  const [command, args] = scriptCommand(bin, "run", "keelson.config.ts", "--once");
  for (const flags of [["--cwd=a b"], ["--cwd", "a b"]]) {
    const { stdout, stderr, code } = await new Program(command, [...flags, ...args], { cwd: folder }).ended;
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`found ${join(folder, "a b")}`);
  }
});
