import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { root, run, runOrThrow } from "../command.ts";
import { type Runtime, runtimes } from "../runtimes.ts";
import { type Check, settle } from "./check.ts";
import { type Example, examplesIn, headingsIn, linksIn } from "./markdown.ts";

// Inside the documentation's own package, so that an example resolves its imports as a reader's project would.
const WORKPLACE = "docs/extracted";

function markdownFiles(): string[] {
  const inFolder = (folder: string): string[] =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
          .filter((file) => file.endsWith(".md") && !/node_modules|extracted/.test(file))
          .map((file) => join(folder, file))
      : [];
  const readmes = ["packages", "apps"].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(folder, name, "README.md")),
  );
  return ["README.md", "CONTRIBUTING.md", "RATIONALE.md", ...readmes, ...inFolder("docs")].filter((file) =>
    existsSync(join(root, file)),
  );
}

/** Links to files of this repository, or to headings in them, that do not exist. */
function brokenLinks(page: string, text: string): string[] {
  return linksIn(text).flatMap(({ file, heading }) => {
    const target = file === "" ? page : join(dirname(page), file);
    if (!existsSync(join(root, target))) return [`${page} links to ${target}, which does not exist`];
    if (heading === "" || !target.endsWith(".md")) return [];
    const known = headingsIn(readFileSync(join(root, target), "utf8"));
    return known.has(heading) ? [] : [`${page} links to ${target}#${heading}, a heading that does not exist`];
  });
}

function writeExample(example: Example, index: number): string {
  const folder = join(root, WORKPLACE, `${index}`);
  for (const [name, text] of [...example.files, ["example.ts", example.code] as const]) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

async function execute(example: Example, folder: string, runtime: Runtime): Promise<string[]> {
  const script = join(folder, "example.ts");
  const { code, stdout, stderr, timedOut } = await run(runtime.command, [...runtime.args, script], {
    cwd: folder,
    limitMs: 60_000,
    env: { NO_COLOR: "1" },
  });
  const where = `${example.where} on ${runtime.name}`;
  if (timedOut) return [`${where} did not end within a minute`];
  if (code !== 0) return [`${where} ended with ${code}\n${stdout}${stderr}`];
  if (example.output !== undefined && stdout.trimEnd() !== example.output.trimEnd()) {
    return [`${where} printed\n${stdout.trimEnd()}\n  but the text says\n${example.output.trimEnd()}`];
  }
  return [];
}

/** The examples of the documentation compile, run on the three runtimes and print what the text says they print. */
export const docsCheck: Check = {
  name: "docs",
  title: "the documentation's links lead somewhere and its examples run",
  async run() {
    const problems: string[] = [];
    const examples: Example[] = [];
    for (const file of markdownFiles()) {
      const text = readFileSync(join(root, file), "utf8");
      problems.push(...brokenLinks(file, text));
      examples.push(...examplesIn(file, text));
    }
    rmSync(join(root, WORKPLACE), { recursive: true, force: true });
    try {
      const folders = examples.map(writeExample);
      if (examples.length > 0) {
        const tsconfig = join(root, WORKPLACE, "tsconfig.json");
        const extend = relative(dirname(tsconfig), join(root, "tsconfig.base.json"));
        // As for the tests: the compiler's own declarations of AssemblyScript declare globals anew.
        const paths = { "assemblyscript/asc": ["../../tools/types/assemblyscript-asc.d.ts"] };
        const options = { noEmit: true, types: ["node"], noUnusedLocals: false, paths };
        const include = [".", "../../packages/wasm/src/webassembly.d.ts"];
        writeFileSync(tsconfig, JSON.stringify({ extends: extend, compilerOptions: options, include }));
        await runOrThrow("tsc", ["-p", tsconfig]);
      }
      for (const [index, example] of examples.entries()) {
        for (const runtime of runtimes.filter(({ name }) => example.runtimes.includes(name))) {
          problems.push(...(await execute(example, folders[index] ?? "", runtime)));
        }
      }
    } finally {
      rmSync(join(root, WORKPLACE), { recursive: true, force: true });
    }
    return settle(problems, `${examples.length} examples`);
  },
};
