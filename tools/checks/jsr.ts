import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { root, runOrThrow } from "../command.ts";
import { publishedPackages, type WorkspacePackage } from "../packages.ts";
import { type Check, settle } from "./check.ts";

/**
 * Publishes nothing, but has Deno look at all that a publication would need. It works on a copy: beside a
 * pnpm-workspace.yaml Deno rewrites the root's package.json. Types are left to `pnpm types`.
 */
async function dryRun({ folder, json }: WorkspacePackage): Promise<string[]> {
  const { version, name } = JSON.parse(readFileSync(join(folder, "jsr.json"), "utf8")) as Record<
    string,
    string
  >;
  if (version !== json.version || name !== json.name) return [`${folder}/jsr.json: name or version differs`];
  const copy = join(mkdtempSync(join(tmpdir(), "keelson-jsr-")), basename(folder));
  try {
    cpSync(folder, copy, { recursive: true, filter: (path) => !/[/\\](node_modules|dist)$/.test(path) });
    cpSync(join(root, "LICENSE"), join(copy, "LICENSE"));
    symlinkSync(join(folder, "node_modules"), join(copy, "node_modules"));
    await runOrThrow("deno", ["publish", "--dry-run", "--allow-dirty", "--no-check"], { cwd: copy });
    return [];
  } catch (error) {
    return [`${json.name}: ${error instanceof Error ? error.message : String(error)}`];
  } finally {
    rmSync(join(copy, ".."), { recursive: true });
  }
}

/** Each package with a jsr.json could be published to JSR as it stands. */
export const jsrCheck: Check = {
  name: "jsr",
  title: "the packages with a jsr.json could be published as sources",
  async run() {
    const packages = publishedPackages().filter(({ folder }) => existsSync(join(folder, "jsr.json")));
    const problems = await Promise.all(packages.map(dryRun));
    return settle(problems.flat(), packages.map(({ name }) => name).join(", "));
  },
};
