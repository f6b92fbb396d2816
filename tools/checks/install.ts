import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, run, runOrThrow } from "../command.ts";
import { packAll } from "../packages.ts";
import { runtimes } from "../runtimes.ts";
import { type Check, settle } from "./check.ts";

// The first program of a stranger: one install, six lines, no manifest.
const PROGRAM = `
import { createKernel } from "keelson";

await using kernel = await createKernel();
const plugin = await kernel.load("./x.wasm");
console.log(await plugin.call("run"));
`;

// (module (func (export "run") (result i32) i32.const 42))
// The programs on the far side of a thread and of a child are found in the packages.
const ISOLATED = `
import { createKernel } from "keelson";
import { wasmModule } from "@keelson/wasm";

await using kernel = await createKernel();
for (const isolation of ["worker", "process"] as const) {
  await kernel.register(wasmModule({ id: isolation, source: "./x.wasm", isolation }));
  await kernel.start(isolation);
  console.log(await kernel.invoke(isolation, "run"));
}
`;

// What a host gives keeps its types in a program for Node, which has no DOM library and so no namespace WebAssembly.
const TYPED = `
import { wasmModule } from "keelson";

wasmModule({
  source: new Uint8Array(),
  imports: (host) => ({ env: { log: (level: number) => host.log.write("info", String(level)) } }),
});
// @ts-expect-error -- the host of a guest has no such thing
wasmModule({ source: "x.wasm", imports: (host) => ({ env: { log: () => host.nothing } }) });
`;

const PLUGIN = Buffer.from("0061736d010000000105016000017f030201000707010372756e00000a06010400412a0b", "hex");

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
      writeFileSync(join(project, "isolated.ts"), ISOLATED);
      writeFileSync(join(project, "typed.ts"), TYPED);
      writeFileSync(join(project, "x.wasm"), PLUGIN);
      writeFileSync(join(project, "keelson.config.json"), JSON.stringify({ plugins: ["./x.wasm"] }));
      await runOrThrow(
        "npm",
        ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"],
        {
          cwd: project,
        },
      );
      const options = ["--noEmit", "--module", "nodenext", "--target", "esnext", "--strict"];
      const programs = ["first.ts", "isolated.ts", "typed.ts"];
      const onNode = ["--typeRoots", join(root, "node_modules", "@types"), "--types", "node"];
      for (const library of [
        ["--lib", "esnext,dom", "--types", ""],
        ["--lib", "esnext", ...onNode],
      ])
        await runOrThrow("tsc", [...options, ...library, ...programs], { cwd: project });
      const problems: string[] = [];
      for (const runtime of runtimes) {
        for (const [program, output] of [
          ["first.ts", "42"],
          ["isolated.ts", "42\n42"],
        ] as const) {
          const { code, stdout, stderr } = await run(runtime.command, [...runtime.args, program], {
            cwd: project,
          });
          if (code !== 0 || stdout.trim() !== output)
            problems.push(`${program} on ${runtime.name}: ${stdout}${stderr}`);
        }
      }
      // As the shell of an npm script finds it, then on the other two by path.
      const bin = join("node_modules", "keelson", "dist", "bin.js");
      const commands: [name: string, command: string, args: readonly string[]][] = [
        ["npx", "npx", ["--no-install", "keelson"]],
        ...runtimes.map(({ name, command, args }): [string, string, string[]] => [
          name,
          command,
          [...args, bin],
        ]),
      ];
      for (const [name, command, args] of commands) {
        for (const words of [["--help"], ["run", "keelson.config.json", "--once"]]) {
          const { code, stdout, stderr } = await run(command, [...args, ...words], { cwd: project });
          if (code !== 0) problems.push(`keelson ${words.join(" ")} by ${name}: ${stdout}${stderr}`);
        }
      }
      return settle(problems, `on ${runtimes.map(({ name }) => name).join(", ")}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};
