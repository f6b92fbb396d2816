import { join } from "node:path";
import { root, runOrThrow } from "./command.ts";
import type { RuntimeName } from "./vitest/runtime.ts";

export type { RuntimeName };

/** How one pinned runtime executes a script. */
export interface Runtime {
  readonly name: RuntimeName;
  /** The binary itself, by path: a name would find whatever the machine has. */
  readonly command: string;
  /** Arguments before the script. Vitest needs all of Deno's permissions; tests of permissions start children. */
  readonly args: readonly string[];
}

const bin = (name: string): string => join(root, "node_modules/.bin", name);

/** The three runtimes in the order of the reports. */
export const runtimes: readonly Runtime[] = [
  { name: "node", command: bin("node"), args: [] },
  { name: "deno", command: bin("deno"), args: ["run", "-A"] },
  // Without --bun, Bun hands a script with a `node` shebang to Node.
  { name: "bun", command: bin("bun"), args: ["--bun"] },
];

/** The runtimes of these names, all when none is given; what is no runtime is a RangeError. */
export function chooseRuntimes(names: readonly string[] | undefined): readonly Runtime[] {
  const known = runtimes.map(({ name }) => name as string);
  if (names?.every((name) => known.includes(name)) === false)
    throw new RangeError(`--runtime takes ${known.join(", ")}`);
  return runtimes.filter(({ name }) => names === undefined || names.includes(name));
}

/** Arguments before a script for `process.execPath`, of whatever runtime executes this; `name` is what its platform is called. */
export function scriptArguments(name: string): readonly string[] {
  return runtimes.find((runtime) => runtime.name === name)?.args ?? [];
}

/** The runtime's version, such as "26.10.0". */
export async function versionOf(runtime: Runtime): Promise<string> {
  return /\d+\.\d+\.\d+/.exec(await runOrThrow(runtime.command, ["--version"]))?.[0] ?? "unknown";
}
