import { KeelsonError } from "@keelson/core";
import { describe, expect, it } from "vitest";
import { fileError, spawnError } from "../src/errors.ts";

const native = (code: string): Error => Object.assign(new Error(`${code}: native`), { code });
const denoError = (name: string, message = name): Error => Object.assign(new Error(message), { name });

describe("fileError()", () => {
  it("translates native codes and Deno's classes through one table", () => {
    const table: readonly (readonly [Error, string])[] = [
      [native("ENOENT"), "NOT_FOUND"],
      [native("ENOTDIR"), "NOT_FOUND"],
      [native("EACCES"), "PERMISSION_DENIED"],
      [native("EPERM"), "PERMISSION_DENIED"],
      [native("EROFS"), "PERMISSION_DENIED"],
      [native("ENOSPC"), "IO"],
      [native("EISDIR"), "IO"],
      [denoError("NotFound"), "NOT_FOUND"],
      [denoError("PermissionDenied"), "PERMISSION_DENIED"],
      [denoError("NotCapable"), "PERMISSION_DENIED"],
      [denoError("BadResource"), "IO"],
    ];
    for (const [error, code] of table) {
      const made = fileError(error, "read", "/x");
      expect([error.message, made.code]).toEqual([error.message, code]);
      expect(made.cause).toBe(error);
      expect(made.details).toEqual({ path: "/x" });
    }
  });

  it("names the flag that Deno misses", () => {
    const refused = denoError(
      "NotCapable",
      'Requires read access to "/x", run again with the --allow-read flag',
    );
    expect(fileError(refused, "read", "/x").hint).toContain("--allow-read=/x");
    const all = denoError(
      "NotCapable",
      'Requires all access to "/proc/1/environ", run again with the --allow-all flag',
    );
    expect(fileError(all, "read", "/proc/1/environ").hint).toMatch(/--allow-all$/);
  });

  it("names the flag that Node's permission model misses", () => {
    const refused = Object.assign(native("ERR_ACCESS_DENIED"), { permission: "FileSystemWrite" });
    const made = fileError(refused, "write", "/x");
    expect([made.code, made.hint]).toEqual(["PERMISSION_DENIED", "run again with --allow-fs-write=/x"]);
  });

  it("passes on what is a KeelsonError already, and takes anything else that can be thrown", () => {
    const own = new KeelsonError("IO", "x");
    expect(fileError(own, "read", "/x")).toBe(own);
    for (const thrown of [undefined, null, "text", 5, {}])
      expect(fileError(thrown, "read", "/x").code).toBe("IO");
  });
});

describe("spawnError()", () => {
  const facts = { cwd: undefined, cwdIsFolder: undefined, path: "/bin" };

  it("says SPAWN_FAILED with the cause, and PERMISSION_DENIED only when the runtime forbids it", () => {
    expect(spawnError(native("ENOENT"), "x", facts).code).toBe("SPAWN_FAILED");
    expect(spawnError(native("EACCES"), "x", facts).code).toBe("SPAWN_FAILED");
    const refused = denoError(
      "NotCapable",
      'Requires run access to "x", run again with the --allow-run flag',
    );
    const made = spawnError(refused, "x", facts);
    expect([made.code, made.hint]).toEqual(["PERMISSION_DENIED", "run again with --allow-run=x"]);
    expect(spawnError(native("ERR_ACCESS_DENIED"), "x", facts).code).toBe("PERMISSION_DENIED");
  });

  it("says what to do next for each cause", () => {
    expect(spawnError(native("ENOENT"), "x", facts).hint).toContain("PATH (now /bin)");
    expect(spawnError(native("ENOENT"), "./x", facts).hint).toContain("path");
    expect(spawnError(native("EACCES"), "x", facts).hint).toContain("chmod +x");
    expect(spawnError(native("ENOEXEC"), "x", facts).hint).toContain("#!");
    expect(spawnError(native("ENOENT"), "x", { ...facts, cwd: "/gone", cwdIsFolder: false }).hint).toContain(
      "/gone",
    );
  });
});
