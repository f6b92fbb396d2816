import { isKeelsonError } from "@keelson/core";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { readlinkSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adapter, shell, textOf } from "../adapter.ts";

const { processes } = await adapter();

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keelson-spawn-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("spawn()", () => {
  it("gives the child PATH, HOME, what was asked for and the owner's mark, and nothing else of the host's environment", async () => {
    process.env["KEELSON_TEST_SECRET"] = "do not pass on";
    const child = await processes.spawn("env", [], { env: { GIVEN: "yes" } });
    const names = (await textOf(child.stdout))
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    delete process.env["KEELSON_TEST_SECRET"];
    // A shell between would show as PWD or SHLVL.
    expect(names.toSorted()).toEqual(["GIVEN", "HOME", "KEELSON_OWNER", "PATH"]);
    await child.terminate();
  });

  it("lets the module's own environment win over PATH and HOME", async () => {
    const child = await processes.spawn("/usr/bin/env", [], { env: { HOME: "/nowhere", PATH: "/bin" } });
    const text = await textOf(child.stdout);
    expect(text).toContain("HOME=/nowhere\n");
    expect(text).toContain("PATH=/bin\n");
    await child.terminate();
  });

  it("starts the child in the folder asked for", async () => {
    const child = await processes.spawn("pwd", [], { cwd: pathToFileURL(`${folder}/`) });
    expect((await textOf(child.stdout)).trim()).toMatch(new RegExp(`${folder}$`));
    await child.terminate();
  });

  it("leads a group and a session of its own, so that the terminal's Ctrl-C does not reach it", async () => {
    await using child = await processes.spawn("cat", [], {});
    const stat = readFileSync(`/proc/${child.pid}/stat`, "latin1");
    const [, , group, session] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    expect([group, session]).toEqual([child.pid, child.pid]);
  });

  it("hands a child no end of a sibling's pipes, so that the sibling sees end of file when the host dies", async () => {
    await using first = await processes.spawn("cat", [], {});
    await using second = await processes.spawn("cat", [], {});
    // A program that is just being loaded opens its libraries and closes them again under our eyes.
    const bound = (pid: number, fds: readonly string[]): string[] =>
      fds.flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
        } catch (error) {
          if ((error as { code?: string }).code === "ENOENT") return [];
          throw error;
        }
      });
    const streams = bound(first.pid, ["0", "1", "2"]);
    const ends = bound(second.pid, readdirSync(`/proc/${second.pid}/fd`));
    expect(streams).toHaveLength(3);
    expect(streams.every((name) => /^(pipe|socket):/.test(name))).toBe(true);
    expect(ends.filter((name) => streams.includes(name))).toEqual([]);
  });

  it("tells the exit code, or the signal", async () => {
    const failed = await shell(processes, "exit 7");
    expect(await failed.exited).toEqual({ code: 7 });
    const killed = await shell(processes, "kill -9 $$");
    expect(await killed.exited).toEqual({ signal: "SIGKILL" });
    await failed.terminate();
    await killed.terminate();
  });

  it("settles exited although a grandchild holds standard output open", async () => {
    await using child = await shell(processes, "sleep 1000 & exit 3");
    expect(await child.exited).toEqual({ code: 3 });
  });
});

describe("spawn() refuses with SPAWN_FAILED and says what to do", () => {
  const failure = async (command: string, cwd?: string): Promise<{ code: string; hint: string }> => {
    const error: unknown = await processes
      .spawn(command, [], cwd === undefined ? {} : { cwd: pathToFileURL(cwd) })
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    if (!isKeelsonError(error)) throw new Error("no KeelsonError", { cause: error });
    return { code: error.code, hint: error.hint ?? "" };
  };

  it("a command that is not on PATH", async () => {
    const { code, hint } = await failure("keelson-no-such-command");
    expect(code).toBe("SPAWN_FAILED");
    expect(hint).toContain("PATH");
  });

  it("a file that does not exist", async () => {
    expect((await failure("/no/such/program")).code).toBe("SPAWN_FAILED");
  });

  it("a file that is not executable", async () => {
    const file = join(folder, "plain.txt");
    await writeFile(file, "text");
    await chmod(file, 0o644);
    const { code, hint } = await failure(file);
    expect(code).toBe("SPAWN_FAILED");
    expect(hint).toContain("chmod");
  });

  it("a folder", async () => {
    expect((await failure(folder)).code).toBe("SPAWN_FAILED");
  });

  it("a working directory that does not exist, or is a file", async () => {
    for (const cwd of [join(folder, "missing"), "/etc/passwd"]) {
      const { code, hint } = await failure("cat", cwd);
      expect(code).toBe("SPAWN_FAILED");
      expect(hint).toContain("working directory");
    }
  });
});
