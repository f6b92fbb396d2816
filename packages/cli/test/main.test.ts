import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { here } from "./here.ts";
import { folderWith, keelson, runtime } from "./program.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

test("the program exits with what main answers, and prints on the right streams", async () => {
  expect(await keelson(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: "" });
  expect(await keelson(["runn"])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: 'keelson: there is no command "runn"\n  hint: did you mean "run"?\n',
  });
});

test("--version prints the version alone, behind a command too", async () => {
  expect(await here("--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  expect(await here("run", "--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test("--help names every command, and each command describes its own options without colours in a pipe", async () => {
  const help = await here("--help");
  expect(help.code).toBe(0);
  for (const command of ["run", "check", "inspect", "meter", "replay", "conformance"]) {
    expect(help.stdout).toContain(command);
    const own = await here(command, "--help");
    expect(own.code).toBe(0);
    expect(own.stdout).toContain(`keelson ${command}`);
    expect(own.stdout).toContain("--json");
    expect(own.stdout).not.toContain("\u001b");
  }
});

test("no command at all prints the help and exits with 2", async () => {
  const { code, stdout } = await here();
  expect(code).toBe(2);
  expect(stdout).toContain("COMMANDS");
});

test.each([
  [["runn"], 'did you mean "run"?'],
  [["frobnicate"], "commands are run, check, inspect, meter, replay, conformance"],
  [["--verson"], 'did you mean "--version"?'],
  [["run", "--onse", "x.json"], "did you mean --once?"],
  [["run"], "keelson run --help"],
  [["run", "a.json", "b.json"], "keelson run --help"],
  [["run", "--once=yes", "a.json"], "keelson run --help"],
  [["check", "-x", "a.json"], "keelson check --help"],
  [["meter"], "keelson meter --help"],
  [["meter", "--mode", "fast", "a.wasm"], "exact or deadline"],
  [["meter", "--memory", "64mib", "a.wasm"], "did you mean MiB?"],
  [["meter", "--tables", "-1", "a.wasm"], "keelson meter --help"],
  [["meter", "--tables", "many", "a.wasm"], "a whole number"],
  [["meter", "-o"], "keelson meter --help"],
  [["replay", "--wasm", "--json", "a.json"], "keelson replay --help"],
  [["inspect", "--jsn", "a.wasm"], "did you mean --json?"],
  [["conformance", "--only"], "keelson conformance --help"],
  [["conformance", "--only", "--json"], "keelson conformance --help"],
])("%j is refused with exit code 2 and a hint", async (args, hint) => {
  const { code, stdout, stderr } = await here(...args);
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toContain(hint);
});

test("an error prints its code, message and hint; its stack only with --verbose or DEBUG", async () => {
  const plain = await here("run", "nowhere.json");
  expect(plain.code).toBe(1);
  expect(plain.stderr).toMatch(/^NOT_FOUND: There is no .*nowhere\.json\n {2}hint: /);
  expect(plain.stderr).not.toMatch(/^\s+at /m);
  expect((await here("run", "nowhere.json", "--verbose")).stderr).toMatch(/^\s+at /m);
  vi.stubEnv("DEBUG", "1");
  expect((await here("run", "nowhere.json")).stderr).toMatch(/^\s+at /m);
  vi.unstubAllEnvs();
});

test("what stands behind -- is no option, whatever it looks like", async () => {
  for (const name of ["--help", "-h", "--version", "--json", "--verbose"]) {
    const { code, stdout, stderr } = await here("check", "--", name);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      new RegExp(`^NOT_FOUND: There is no manifest at ${name}\n {2}hint: .*\\n {2}cause: ENOENT.*\\n$`),
    );
  }
  expect((await here("check", "--version", "--", "x")).stdout).toBe(`${version}\n`);
});

test("a path that goes through a file as if it were a folder is IO, for all that read one", async () => {
  const folder = folderWith({ file: "" });
  for (const [command, name] of [
    ["check", "manifest.json"],
    ["run", "config.json"],
    ["run", "config.ts"],
  ] as const) {
    const { code, stdout, stderr } = await here(command, `${folder}/file/${name}`);
    expect([command, code, stdout]).toEqual([command, 1, ""]);
    expect(stderr).toMatch(/^IO: .*could not be read/);
  }
  expect((await here("run", `${folder}/none.ts`)).stderr).toMatch(/^NOT_FOUND: /);
});

test("conformance runs the chosen checks on the adapter of the runtime at hand", async () => {
  const { code, stdout } = await keelson(["conformance", "--json", "--only", "pool."]);
  const report = JSON.parse(stdout) as {
    platform: { name: string };
    results: { id: string }[];
    counts: { failed: number };
  };
  expect(report.platform.name).toBe(runtime);
  expect(report.results.length).toBeGreaterThan(0);
  expect(report.results.every(({ id }) => id.startsWith("pool."))).toBe(true);
  expect(report.counts.failed).toBe(0);
  expect(code).toBe(0);
});

test("conformance exits with 1 for an adapter that breaks a promise, and for one that cannot be used", async () => {
  const broken = new URL("adapters/broken.ts", import.meta.url).pathname;
  const { code, stdout } = await keelson(["conformance", "--adapter", broken, "--only", "pool."]);
  expect(stdout).toContain("FAILED");
  expect(code).toBe(1);
  const none = await keelson([
    "conformance",
    "--adapter",
    new URL("adapters/none.ts", import.meta.url).pathname,
  ]);
  expect(none.code).toBe(1);
  expect(none.stderr).toContain("INVALID_OPTIONS");
});
