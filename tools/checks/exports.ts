import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../command.ts";
import { packAll } from "../packages.ts";
import { type Check, settle } from "./check.ts";

/**
 * What is packed resolves everywhere: publint and "are the types wrong" look at the tarballs, since the workspace's own
 * exports point to sources and would be falsely green.
 */
export const exportsCheck: Check = {
  name: "exports",
  title: "the packed packages resolve, with their types",
  async run() {
    const folder = mkdtempSync(join(tmpdir(), "keelson-pack-"));
    try {
      const tarballs = await packAll(folder);
      const problems: string[] = [];
      for (const [name, tarball] of tarballs) {
        const lints = await Promise.all([
          run("publint", ["run", tarball, "--strict"]),
          run("attw", [tarball, "--profile", "esm-only", "--no-emoji", "--no-color", "--format", "ascii"]),
        ]);
        for (const { code, stdout, stderr } of lints) {
          if (code !== 0) problems.push(`${name}\n${stdout}${stderr}`);
        }
      }
      return settle(problems, `${tarballs.size} packages`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};
