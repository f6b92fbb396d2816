import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { root, run, runOrThrow } from "../command.ts";
import { publishedPackages } from "../packages.ts";
import { type Check, settle } from "./check.ts";
import { exportedNames } from "./exported-names.ts";

const PINS = "tools/public-surface.json";

/** Every entry of every package with the names it exports, types included. */
function publicSurface(): Record<string, string[]> {
  const surface: Record<string, string[]> = {};
  for (const { name, folder, json } of publishedPackages()) {
    for (const [entry, target] of Object.entries(json.exports ?? {})) {
      const files = typeof target === "string" ? { "": target } : target;
      for (const [condition, file] of Object.entries(files)) {
        const key = join(name, entry) + (condition === "" ? "" : ` (${condition})`);
        surface[key] = exportedNames(join(folder, file));
      }
    }
  }
  return surface;
}

function checkSurface(): string[] {
  const surface = publicSurface();
  const pinned = JSON.parse(readFileSync(join(root, PINS), "utf8")) as Record<string, string[]>;
  const problems: string[] = [];
  for (const key of new Set([...Object.keys(pinned), ...Object.keys(surface)])) {
    const was = new Set(pinned[key]);
    const is = new Set(surface[key]);
    const added = [...is.difference(was)];
    const removed = [...was.difference(is)];
    if (added.length > 0) problems.push(`${key} exports more than is pinned: ${added.join(", ")}`);
    if (removed.length > 0) problems.push(`${key} no longer exports ${removed.join(", ")}`);
  }
  if (problems.length > 0) problems.push("if that is meant, run `pnpm pins` and commit the file");
  return problems;
}

const VAGUE = /(^|\/)(utils?|shared|common|helpers?|misc|lib)\//;

async function checkNames(): Promise<string[]> {
  const files = await runOrThrow("git", ["ls-files", "--cached", "--others", "--exclude-standard"]);
  return files
    .split("\n")
    .filter((file) => VAGUE.test(file))
    .map((file) => `${file}: a folder is named for what it is about, see CONTRIBUTING.md`);
}

/** Which packages of the workspace each package may depend on. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "@keelson/core": [],
  "@keelson/wasm": ["@keelson/core"],
  "@keelson/node-compat": ["@keelson/core"],
  "@keelson/node": ["@keelson/core", "@keelson/node-compat"],
  "@keelson/deno": ["@keelson/core", "@keelson/node-compat"],
  "@keelson/bun": ["@keelson/core", "@keelson/node-compat"],
};

function checkDependencies(): string[] {
  const problems: string[] = [];
  for (const { name, json } of publishedPackages()) {
    const own = Object.keys(json.dependencies ?? {}).filter((other) => /^(@keelson\/|keelson$)/.test(other));
    const allowed = ALLOWED[name];
    for (const other of own) {
      if (allowed !== undefined && !allowed.includes(other))
        problems.push(`${name} must not depend on ${other}`);
    }
  }
  const core = publishedPackages().find(({ name }) => name === "@keelson/core");
  const external = Object.keys(core?.json.dependencies ?? {})
    .toSorted()
    .join(", ");
  if (external !== "semver, zod")
    problems.push(`@keelson/core depends on zod and semver alone, not on ${external}`);
  return problems;
}

/** The built core names no global of any runtime and imports nothing but its dependencies. */
async function checkCoreBuild(): Promise<string[]> {
  const dist = join(root, "packages/core/dist");
  // Linted as a copy: the linter passes over what git ignores.
  const copy = mkdtempSync(join(tmpdir(), "keelson-dist-"));
  cpSync(dist, copy, { recursive: true });
  const { code, stdout } = await run("oxlint", [
    "--config",
    join(root, "tools/core-dist.oxlintrc.json"),
    copy,
  ]);
  rmSync(copy, { recursive: true });
  const problems = code === 0 ? [] : [stdout];
  for (const file of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".js")) continue;
    const source = readFileSync(join(dist, file), "utf8");
    for (const [, specifier = ""] of source.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"/g)) {
      if (!/^(\.|zod$|semver(\/|$))/.test(specifier)) {
        problems.push(`${relative(root, join(dist, file))} imports ${specifier}`);
      }
    }
  }
  return problems;
}

/** What the tree promises about itself and no linter sees. */
export const architectureCheck: Check = {
  name: "architecture",
  title: "the public surface is pinned, dependencies run one way, core is free of any runtime",
  async run() {
    if (process.env["KEELSON_UPDATE_PINS"] === "1") {
      writeFileSync(join(root, PINS), `${JSON.stringify(publicSurface(), null, 2)}\n`);
      return `${PINS} is written`;
    }
    await runOrThrow("turbo", ["run", "build", "--filter=@keelson/core", "--output-logs=errors-only"]);
    const problems = [
      ...checkSurface(),
      ...(await checkNames()),
      ...checkDependencies(),
      ...(await checkCoreBuild()),
    ];
    return settle(problems, `${Object.keys(publicSurface()).length} entries pinned`);
  },
};
