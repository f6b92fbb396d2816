/**
 * Everything that CI looks at, in one command.
 *
 *     node tools/check.ts [--skip name]... [name]...
 */
import process from "node:process";
import { readArguments } from "./arguments.ts";
import { architectureCheck } from "./checks/architecture.ts";
import type { Check } from "./checks/check.ts";
import { docsCheck } from "./checks/docs.ts";
import { exportsCheck } from "./checks/exports.ts";
import { installCheck } from "./checks/install.ts";
import { jsrCheck } from "./checks/jsr.ts";
import { packedCheck } from "./checks/packed.ts";
import { sizeCheck } from "./checks/size.ts";
import { run } from "./command.ts";

/** A check that is one command; what it prints is shown when it fails, its last line when it passes. */
function commandCheck(name: string, title: string, command: string, args: readonly string[]): Check {
  return {
    name,
    title,
    async run() {
      const { code, stdout, stderr } = await run(command, args, { env: { NO_COLOR: "1" } });
      if (code !== 0) throw new Error(`${stdout}${stderr}`.trimEnd());
      return stdout.trimEnd().split("\n").at(-1) ?? "";
    },
  };
}

/** Type checking of sources with their floors of libraries, then of tests and tools. */
const typesCheck: Check = {
  name: "types",
  title: "everything type-checks",
  async run() {
    for (const args of [["-b"], ["-p", "tsconfig.test.json"]]) {
      const { code, stdout, stderr } = await run("tsc", args);
      if (code !== 0) throw new Error(`${stdout}${stderr}`.trimEnd());
    }
    return "sources, tests and tools";
  },
};

/** The tests show their progress themselves. */
const testsCheck: Check = {
  name: "tests",
  title: "the tests and the conformance suite pass on Node, Deno and Bun",
  async run() {
    const { code } = await run("node", ["tools/test.ts"], { output: "show", limitMs: 28 * 60_000 });
    if (code !== 0) throw new Error("see above");
    return "see above";
  },
};

const checks: readonly Check[] = [
  commandCheck("format", "everything is formatted", "oxfmt", ["--check"]),
  commandCheck("lint", "the linter finds nothing", "oxlint", ["--type-aware", "--deny-warnings"]),
  typesCheck,
  testsCheck,
  architectureCheck,
  exportsCheck,
  packedCheck,
  commandCheck("unused", "no file, export or dependency is unused", "knip", ["--no-config-hints"]),
  installCheck,
  sizeCheck,
  jsrCheck,
  docsCheck,
];

const names = checks.map(({ name }) => name);

const chosen = readArguments(
  `node tools/check.ts [--skip name]... [name]...\n  names: ${names.join(", ")}`,
  { options: { skip: { type: "string", multiple: true, default: [] } }, allowPositionals: true },
  ({ values: { skip }, positionals }) => {
    const unknown = [...positionals, ...skip].filter((name) => !names.includes(name));
    if (unknown.length > 0) throw new RangeError(`no check is named ${unknown.join(", ")}`);
    return checks.filter(
      ({ name }) => !skip.includes(name) && (positionals.length === 0 || positionals.includes(name)),
    );
  },
);

let failed = 0;
for (const { name, title, run: look } of chosen) {
  const started = performance.now();
  const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  try {
    const outcome = await look();
    console.log(`ok      ${name.padEnd(13)} ${title} (${seconds()}): ${outcome}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name.padEnd(13)} ${title} (${seconds()})`);
    console.log((error instanceof Error ? error.message : String(error)).replaceAll(/^/gm, "        "));
  }
}
console.log(`\nchecks: ${chosen.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
