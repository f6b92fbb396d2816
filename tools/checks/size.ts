import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { root, runOrThrow } from "../command.ts";
import { publishedPackages } from "../packages.ts";
import { type Check, settle } from "./check.ts";

const CEILINGS = "tools/size.json";

/** A package's code in one minified file, its dependencies left out. */
async function bundle(folder: string, entry: string, external: readonly string[]): Promise<Uint8Array> {
  const outfile = join(folder, "bundle.js");
  const externals = external.flatMap((name) => ["--external", name]);
  await runOrThrow("bun", [
    "build",
    entry,
    "--minify",
    "--target=node",
    ...externals,
    `--outfile=${outfile}`,
  ]);
  return readFileSync(outfile);
}

/** Each package named in the file of ceilings, minified without its dependencies, stays below its ceiling. */
export const sizeCheck: Check = {
  name: "size",
  title: "the packages stay small",
  async run() {
    const ceilings = JSON.parse(readFileSync(join(root, CEILINGS), "utf8")) as Record<string, number>;
    const folder = mkdtempSync(join(tmpdir(), "keelson-size-"));
    try {
      const problems: string[] = [];
      const sizes: string[] = [];
      for (const { name, folder: source, json } of publishedPackages()) {
        const ceiling = ceilings[name];
        if (ceiling === undefined) continue;
        const code = await bundle(folder, join(source, "src/index.ts"), Object.keys(json.dependencies ?? {}));
        sizes.push(`${name} ${code.length} bytes of ${ceiling} (${gzipSync(code).length} gzipped)`);
        if (code.length > ceiling) {
          problems.push(
            `${name} has ${code.length} bytes, ${code.length - ceiling} above its ceiling in ${CEILINGS}`,
          );
        }
      }
      return settle(problems, sizes.join("; "));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};
