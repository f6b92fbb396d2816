import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { createLog, type LogOptions } from "../src/log.ts";
import { program } from "./adapter.ts";

function logged(options: LogOptions = {}): { log: ReturnType<typeof createLog>; lines: string[] } {
  const lines: string[] = [];
  return { lines, log: createLog({ ...options, write: (line) => void lines.push(line) }) };
}

describe("createLog()", () => {
  it("writes one readable line: time, level, message, fields", () => {
    const { log, lines } = logged();
    log.write("warn", "module failed", {
      module: "md",
      attempt: 2,
      error: new Error("no such file"),
      absent: undefined,
    });
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} warn {2}module failed module=md attempt=2 error="no such file"$/,
    );
  });

  it.each<[text: string, value: unknown]>([
    ["plain", "plain"],
    ['""', ""],
    ['"two words"', "two words"],
    ['"a=b"', "a=b"],
    ['"say \\"no\\""', 'say "no"'],
    ['"a\\tb"', "a\tb"],
    ["7", 7],
    ["7", 7n],
    ["null", null],
    ["true", true],
    ['{"a":[1,"x y"],"b":"2"}', { a: [1, "x y"], b: 2n }],
    ["[]", []],
    ["", { toJSON: () => undefined }],
    ['"no way"', new Error("no way")],
  ])("writes a field as %s", (text, value) => {
    const { log, lines } = logged();
    const before = new Date().toISOString().slice(11, 23);
    log.write("info", "x", { value });
    expect(lines[0]?.slice(12)).toBe(` info  x value=${text}`);
    expect((lines[0] ?? "") >= before || before > "23:59").toBe(true);
  });

  it("leaves out what is below its level", () => {
    const { log, lines } = logged({ level: "warn" });
    for (const level of ["debug", "info", "warn", "error"] as const) log.write(level, level);
    expect(lines).toHaveLength(2);
    const silent = logged({ level: "silent" });
    silent.log.write("error", "x");
    expect(silent.lines).toEqual([]);
  });

  it("begins at info", () => {
    const { log, lines } = logged();
    log.write("debug", "no");
    log.write("info", "yes");
    expect(lines).toHaveLength(1);
  });

  it("colours the level only when asked to", () => {
    const plain = logged();
    plain.log.write("error", "x");
    expect(plain.lines[0]).not.toContain("\u001b");
    const colored = logged({ color: true });
    colored.log.write("error", "x");
    expect(colored.lines[0]).toContain("\u001b[31merror\u001b[0m");
  });

  it("lets nothing through that steers a terminal or begins a new line", () => {
    const { log, lines } = logged();
    log.write("info", "a\u001b[2Jb\r\nc", { "k\u0007": "v\u009b1m w" });
    // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(lines[0]).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    expect(lines[0]).toContain("a\\u001b[2Jb\\u000d\\nc");
  });

  it("shows what has no width, but for the joiners that scripts and emoji need", () => {
    const { log, lines } = logged();
    for (const code of [0xad, 0x61c, 0x200b, 0x200e, 0x200f, 0x2060, 0x2064, 0x2069, 0xfeff]) {
      log.write("info", `a${String.fromCharCode(code)}b`);
      expect(lines.at(-1)).toContain(`a\\u${code.toString(16).padStart(4, "0")}b`);
    }
    log.write("info", "\u{1f468}\u200d\u{1f469} \u0645\u200c\u0647");
    expect(lines.at(-1)).toContain("\u{1f468}\u200d\u{1f469} \u0645\u200c\u0647");
  });

  it("never throws, whatever it is given and whatever its writer does", () => {
    const { log, lines } = logged();
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    const hostile = {
      get message(): string {
        throw new Error("no");
      },
    };
    for (const value of [circle, hostile, 1n, Symbol("s"), null, { big: 1n }, (): void => {}])
      log.write("info", "x", { value });
    // Each is told, whatever of it can be.
    expect(lines).toHaveLength(7);
    for (const line of lines) expect(line).toMatch(/ info {2}x value=\S/);
    expect(lines.map((line) => line.includes("cannot be shown"))).toEqual([
      true,
      true,
      ...Array(5).fill(false),
    ]);
    const broken = createLog({
      write: () => {
        throw new Error("disk full");
      },
    });
    broken.write("error", "x");
  });
});

describe("the adapter's log", () => {
  it("is coloured on a terminal, plain with NO_COLOR or in a pipe", async (context) => {
    if (!existsSync("/usr/bin/script")) return context.skip("script(1) of util-linux is not installed");
    const [command, args] = program("logs.ts");
    const run = async (NO_COLOR: string, words: readonly [string, ...string[]]): Promise<string> => {
      const [file, ...rest] = words;
      const { stdout, stderr } = await promisify(execFile)(file, rest, { env: { ...process.env, NO_COLOR } });
      return stdout + stderr;
    };
    // script(1) gives it a terminal for standard input, output and error.
    const line = [command, ...args].map((word) => `'${word}'`).join(" ");
    const terminal = ["script", "-qec", line, "/dev/null"] as const;
    const [colored, plain, piped] = await Promise.all([
      run("", terminal),
      run("1", terminal),
      run("", [command, ...args]),
    ]);
    expect(colored).toContain("\u001b[33mwarn \u001b[0m here I am");
    expect(plain).toContain(" warn  here I am");
    expect(piped).toContain(" warn  here I am");
  });
});
