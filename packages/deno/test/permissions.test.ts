import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

interface Outcome {
  readonly value?: unknown;
  readonly code?: string;
  readonly hint?: string;
}

interface Probe {
  readonly supports: Readonly<Record<string, boolean>>;
  readonly reasons: Readonly<Record<string, string>>;
  readonly read: Outcome;
  readonly write: Outcome;
  readonly cat: Outcome;
  readonly catWithOwnEnv: Outcome;
  readonly tree: Outcome;
  readonly kernel: Outcome;
}

const deno = fileURLToPath(new URL("../../../node_modules/.bin/deno", import.meta.url));
const program = fileURLToPath(new URL("programs/probe.ts", import.meta.url));

/** What the adapter says on Deno, whatever runtime this test runs on. */
async function probe(...flags: readonly string[]): Promise<Probe> {
  const { stdout } = await promisify(execFile)(deno, ["run", "--no-prompt", ...flags, program]);
  return JSON.parse(stdout) as Probe;
}

describe("on Deno, supports follows the permissions", () => {
  it("with none: each refusal names the flag, and a kernel still runs", async () => {
    const found = await probe();
    expect(found.supports).toMatchObject({
      files: false,
      processes: false,
      processTree: false,
      strayScan: false,
      workers: false,
      fork: false,
      processMemory: false,
    });
    expect(found.reasons["workers"]).toContain("--allow-read");
    expect(found.reasons["fork"]).toContain("--allow-run=");
    expect(found.supports).toMatchObject({ wasm: true, jspi: true, wasmMemory64: true });
    expect(found.reasons["files"]).toContain("--allow-read and --allow-write");
    expect(found.reasons["processes"]).toContain("--allow-run");
    expect(found.read).toEqual({
      code: "PERMISSION_DENIED",
      hint: "run again with --allow-read=/etc/passwd",
    });
    expect(found.write.code).toBe("PERMISSION_DENIED");
    expect(found.cat).toMatchObject({ code: "PERMISSION_DENIED" });
    expect(found.cat.hint).toContain("--allow-env=PATH,HOME");
    expect(found.catWithOwnEnv).toEqual({
      code: "PERMISSION_DENIED",
      hint: "run again with --allow-run=cat",
    });
    expect(found.kernel).toEqual({ value: 0 });
  });

  it("with some paths: those can be read, others name the flag", async () => {
    const found = await probe("--allow-read=/etc/passwd");
    expect(found.supports["files"]).toBe(false);
    expect(found.read).toEqual({ value: true });
    const other = await probe("--allow-read=/usr");
    expect(other.read).toEqual({
      code: "PERMISSION_DENIED",
      hint: "run again with --allow-read=/etc/passwd",
    });
  });

  it("with reading and writing: files are supported", async () => {
    const found = await probe("--allow-read", "--allow-write");
    expect(found.supports).toMatchObject({ files: true, processes: false });
    expect(found.write).toMatchObject({ code: "PERMISSION_DENIED", hint: "run again with --allow-all" });
  });

  it("with one command: it can be started and ended, others name the flag", async () => {
    const found = await probe("--allow-run=cat", "--allow-env");
    expect(found.supports).toMatchObject({ processes: false, processTree: false });
    expect(found.reasons["processes"]).toContain("--allow-run");
    expect(found.cat).toEqual({ value: { text: "hello", ended: 1, orphans: 0 } });
    expect(found.tree).toEqual({ code: "PERMISSION_DENIED", hint: "run again with --allow-run=sh" });
  });

  it("with all commands: trees are ended, only strays cannot be found, for which /proc needs --allow-all", async () => {
    const found = await probe("--allow-run", "--allow-env=PATH,HOME,KEELSON_OWNER");
    expect(found.supports).toMatchObject({ processes: true, processTree: true, strayScan: false });
    expect(found.reasons["strayScan"]).toContain("--allow-all");
    expect(found.cat).toEqual({ value: { text: "hello", ended: 1, orphans: 0 } });
    expect(found.tree).toEqual({ value: { ended: 3, orphans: 0 } });
  });

  it("with all commands and a part of the environment: what is missing is named", async () => {
    const found = await probe("--allow-run", "--allow-env=PATH");
    expect(found.supports).toMatchObject({ processes: false, fork: false });
    expect(found.reasons["processes"]).toContain("--allow-env=HOME;");
    const whole = await probe("--allow-run", "--allow-env=PATH,HOME");
    expect(whole.supports).toMatchObject({ processes: true, fork: true });
    expect(whole.cat).toEqual({ value: { text: "hello", ended: 1, orphans: 0 } });
  });

  it("with a module's own environment, none of the host's is needed", async () => {
    const found = await probe("--allow-run");
    expect(found.supports).toMatchObject({ processes: false, processTree: false, fork: false });
    for (const feature of ["processes", "fork"])
      expect(found.reasons[feature]).toContain("--allow-env=PATH,HOME");
    expect(found.cat).toMatchObject({ code: "PERMISSION_DENIED" });
    expect(found.catWithOwnEnv).toEqual({ value: { text: "hello", ended: 1, orphans: 0 } });
  });

  it("with all: everything is supported", async () => {
    const found = await probe("--allow-all");
    expect(found.supports).toMatchObject({
      files: true,
      processes: true,
      processTree: true,
      strayScan: true,
      workers: true,
      fork: true,
      processMemory: true,
    });
    expect(found.reasons).toEqual({});
    expect(found.tree).toEqual({ value: { ended: 3, orphans: 0 } });
  });
});
