import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, runOrThrow } from "../command.ts";
import { packAll } from "../packages.ts";
import { runtimes } from "../runtimes.ts";
import { type Check, settle } from "./check.ts";

// The first program of a stranger: it must work with nothing but what npm installed.
const PROGRAM = `
import { createKernel } from "keelson";

const kernel = await createKernel();
await kernel.register({
  metadata: { id: "greeter", name: "Greeter", version: "1.0.0", kind: "native" },
  create: () => ({ call: (call) => "hello " + String(call.payload) }),
});
await kernel.start("greeter");
console.log(await kernel.invoke("greeter", "greet", "world"));
await kernel.shutdown();
`;

/** The packed packages install into an empty project, and a first program compiles and runs there on every runtime. */
export const installCheck: Check = {
  name: "install",
  title: "the packed packages install into an empty project and run",
  async run() {
    const folder = mkdtempSync(join(tmpdir(), "keelson-install-"));
    try {
      const project = join(folder, "project");
      mkdirSync(project);
      const tarballs = await packAll(folder);
      const dependencies = Object.fromEntries([...tarballs].map(([name, file]) => [name, `file:${file}`]));
      writeFileSync(
        join(project, "package.json"),
        JSON.stringify({ type: "module", private: true, dependencies }),
      );
      writeFileSync(join(project, "first.ts"), PROGRAM);
      await runOrThrow(
        "npm",
        ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"],
        {
          cwd: project,
        },
      );
      const options = ["--module", "nodenext", "--target", "esnext", "--lib", "esnext,dom", "--strict"];
      await runOrThrow("tsc", ["--noEmit", ...options, "--types", "", "first.ts"], { cwd: project });
      const problems: string[] = [];
      for (const runtime of runtimes) {
        const { code, stdout, stderr } = await run(runtime.command, [...runtime.args, "first.ts"], {
          cwd: project,
        });
        if (code !== 0 || stdout.trim() !== "hello world")
          problems.push(`on ${runtime.name}: ${stdout}${stderr}`);
      }
      const help = await run("npx", ["--no-install", "keelson", "--help"], { cwd: project });
      if (help.code !== 0) problems.push(`keelson --help: ${help.stdout}${help.stderr}`);
      return settle(problems, `on ${runtimes.map(({ name }) => name).join(", ")}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};
