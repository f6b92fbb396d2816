import { isKeelsonError, type Files, type Processes } from "@keelson/core";
import { chmod, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adapter, bytes, program, textOf } from "./adapter.ts";

const { files, processes } = (await adapter()) as { readonly files: Files; readonly processes: Processes };

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keelson files é%20#?-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const at = (...names: string[]): URL => pathToFileURL(join(folder, ...names));
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "none",
    (error: unknown) => (isKeelsonError(error) ? error.code : "native"),
  );

describe("files", () => {
  it("writes and reads bytes, and makes the folders on the way", async () => {
    const data = Uint8Array.of(0, 255, 10, 13);
    await files.write(at("deep", "down", "a b%.bin"), data);
    const read = await files.read(at("deep", "down", "a b%.bin"));
    expect([...read]).toEqual([...data]);
    expect(Object.getPrototypeOf(read)).toBe(Uint8Array.prototype);
    expect((await files.read(at("deep", "down", "a b%.bin"))).buffer).toBeInstanceOf(ArrayBuffer);
  });

  it("says at once that a folder cannot be made, below /proc and below a file", async (context) => {
    await files.write(at("in the way"), bytes("x"));
    expect(await codeOf(files.write(at("in the way", "deep", "x"), bytes("y")))).toBe("IO");
    if (process.platform !== "linux") return context.skip("only Linux has a /proc");
    expect(await codeOf(files.write(new URL("file:///proc/keelson/deep/x"), bytes("y")))).toBe("NOT_FOUND");
  });

  it("makes the same folders for many who write at once", async () => {
    const names = Array.from({ length: 20 }, (_, n) => `${n}`);
    await Promise.all(names.map((name) => files.write(at("at once", "a", "b", name), bytes(name))));
    expect(await files.list(at("at once", "a", "b"))).toEqual([...names].sort());
  });

  it("replaces a file whole, keeps its mode and leaves nothing beside it", async () => {
    await files.write(at("mode", "script.sh"), bytes("one"));
    await chmod(at("mode", "script.sh"), 0o750);
    await files.write(at("mode", "script.sh"), bytes("two"));
    expect((await stat(at("mode", "script.sh"))).mode & 0o777).toBe(0o750);
    expect(await readdir(at("mode"))).toEqual(["script.sh"]);
  });

  it("leaves the old bytes and nothing else when the disk takes no more in the midst of it, and says so", async () => {
    await files.write(at("full", "x"), bytes("old"));
    const url = at("full", "x").href;
    const [command, args] = program("writer.ts", url);
    // 4 or 8 KiB in one file, by whichever unit the shell has: more is refused as by a full disk.
    const script = `trap '' XFSZ; ulimit -f 8; exec "$0" "$@"`;
    const child = await processes.spawn("sh", ["-c", script, command, ...args], {});
    expect(await textOf(child.stdout)).toBe("IO");
    expect(await child.exited).toEqual({ code: 0 });
    await child.terminate();
    expect(new TextDecoder().decode(await files.read(at("full", "x")))).toBe("old");
    expect(await files.list(at("full"))).toEqual(["x"]);
  });

  it("leaves the old bytes and nothing else when a write fails", async () => {
    await files.write(at("fails", "folder", "x"), bytes("x"));
    expect(await codeOf(files.write(at("fails", "folder"), bytes("y")))).toBe("IO");
    expect(await files.list(at("fails"))).toEqual(["folder"]);
  });

  it("never shows a reader a part of a file", async () => {
    const texts = ["a", "b"].map((letter) => letter.repeat(200_000));
    const [first = "", second = ""] = texts;
    await files.write(at("whole.txt"), bytes(first));
    const writing = (async () => {
      for (let i = 0; i < 10; i++) await files.write(at("whole.txt"), bytes(i % 2 ? first : second));
    })();
    for (let i = 0; i < 20; i++)
      expect(texts).toContain(new TextDecoder().decode(await files.read(at("whole.txt"))));
    await writing;
  });

  it("lists names sorted", async () => {
    for (const name of ["b", "a", "C"]) await files.write(at("list", name), bytes(name));
    expect(await files.list(at("list"))).toEqual(["C", "a", "b"]);
  });

  it("tells kind, size and time, or undefined", async () => {
    await files.write(at("stat.txt"), bytes("12345"));
    expect(await files.stat(at("stat.txt"))).toMatchObject({ kind: "file", bytes: 5 });
    expect((await files.stat(at("stat.txt")))?.modified).toBeGreaterThan(Date.now() - 60_000);
    expect(await files.stat(at())).toMatchObject({ kind: "folder" });
    expect(await files.stat(at("nothing"))).toBeUndefined();
    expect(await files.stat(at("stat.txt", "below a file"))).toBeUndefined();
    expect(await files.stat(pathToFileURL("/dev/null"))).toMatchObject({ kind: "other" });
  });

  it("removes a file or a folder, and nothing is fine", async () => {
    await files.write(at("gone", "deep", "x"), bytes("x"));
    await files.remove(at("gone"));
    await files.remove(at("gone"));
    expect(await files.stat(at("gone"))).toBeUndefined();
  });

  it("resolves paths against the working directory, and links to what they mean", async () => {
    expect(files.resolve("a/../b.txt").href).toBe(pathToFileURL(join(process.cwd(), "b.txt")).href);
    expect(files.resolve("/x y").href).toBe("file:///x%20y");
    await writeFile(join(folder, "target"), "t");
    await symlink(join(folder, "target"), join(folder, "link"));
    expect((await files.real(at("link"))).href).toBe((await files.real(at("target"))).href);
  });

  it("fails with NOT_FOUND, IO or PERMISSION_DENIED, never with a native error", async () => {
    expect(await codeOf(files.read(at("nothing")))).toBe("NOT_FOUND");
    expect(await codeOf(files.list(at("nothing")))).toBe("NOT_FOUND");
    expect(await codeOf(files.real(at("nothing")))).toBe("NOT_FOUND");
    expect(await codeOf(files.read(at()))).toBe("IO");
    expect(await codeOf(files.read(new URL("https://example.com/x")))).toBe("IO");
    await symlink(join(folder, "loop"), join(folder, "loop"));
    expect(await codeOf(files.real(at("loop")))).toBe("IO");
  });
});
