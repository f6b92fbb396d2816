import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { root, runOrThrow } from "../command.ts";
import { packAll } from "../packages.ts";
import { type Check, settle } from "./check.ts";
import { headingsIn, linksIn } from "./markdown.ts";

/** What a registry shows of a package, and what tells a stranger whether it is for them. */
const FIELDS = ["description", "license", "keywords", "engines", "exports", "files"] as const;

/** Programs that the adapters start by their path. */
const STARTED = /(?:^|\/)(?:isolation\/child|programs\/child-end)\.js$/;

/** What a packed program imports by name: a process that is started by a path finds no packages on Deno, unless there is a node_modules. */
function importedByName(folder: string, program: string): string[] {
  const source = readFileSync(join(folder, program), "utf8");
  const names = [...source.matchAll(/^(?:import|export|\}).*?"([^"\n]+)";$|\bimport\("([^"\n]+)"\)/gm)].map(
    ([, whole, dynamic]) => whole ?? dynamic ?? "",
  );
  return [...new Set(names)].filter((name) => !name.startsWith(".") && !isBuiltin(name));
}

/** Links of a packed page that lead to nothing in its tarball. */
function deadLinks(folder: string, page: string): string[] {
  const text = readFileSync(join(folder, page), "utf8");
  return linksIn(text).flatMap(({ file, heading }) => {
    const target = file === "" ? page : posix.join(dirname(page), file);
    const path = join(folder, target);
    if (target.startsWith("..") || !existsSync(path))
      return [`${page} links to ${target}, which is not packed`];
    if (heading === "" || !target.endsWith(".md")) return [];
    return headingsIn(readFileSync(path, "utf8")).has(heading)
      ? []
      : [`${page} links to ${target}#${heading}, a heading that does not exist`];
  });
}

function problemsOf(folder: string): string[] {
  const json = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, unknown>;
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return [
    ...FIELDS.filter((field) => json[field] === undefined).map((field) => `package.json has no ${field}`),
    ...["README.md", "LICENSE"].filter((file) => !files.includes(file)).map((file) => `there is no ${file}`),
    ...files.filter((file) => file.endsWith(".md")).flatMap((page) => deadLinks(folder, page)),
    ...files
      .filter((file) => STARTED.test(file))
      .flatMap((file) =>
        importedByName(folder, file).map((name) => `${file} is run by its path and imports ${name}`),
      ),
    ...files
      .filter((file) => /\.(?:js|ts|json|md|map)$/.test(file))
      .filter((file) => readFileSync(join(folder, file), "utf8").includes(root))
      .map((file) => `${file} names a path of this machine`),
  ];
}

/** Each tarball as a stranger finds it: no link of its pages is dead, its package.json says what it is, programs that are run by their path need no package, and nothing names this machine. */
export const packedCheck: Check = {
  name: "packed",
  title: "the packed packages can be read by themselves",
  async run() {
    const folder = mkdtempSync(join(tmpdir(), "keelson-packed-"));
    try {
      const tarballs = await packAll(folder);
      const problems: string[] = [];
      for (const [name, tarball] of tarballs) {
        const place = join(folder, "unpacked", name);
        mkdirSync(place, { recursive: true });
        await runOrThrow("tar", ["-xzf", tarball, "-C", place, "--strip-components", "1"]);
        problems.push(...problemsOf(place).map((problem) => `${name}: ${problem}`));
      }
      return settle(problems, `${tarballs.size} packages`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};
