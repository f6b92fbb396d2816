import { readFileSync } from "node:fs";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import { isKeelsonError, suggest } from "@keelson/core";
import type { CommandDef } from "citty";
import { helpOf, readArguments, toCitty, UsageError, type Command } from "./arguments.ts";
import { useColor } from "./display.ts";
import { errorJson, errorOptions, formatError, print, printError } from "./terminal.ts";

/** What went well, what failed, and what was not understood. */
const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** The commands by name. Each is imported when it is called for: help and mistakes need none of them. */
export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import("./commands/run.ts")).runCommand,
  check: async () => (await import("./commands/check.ts")).checkCommand,
  inspect: async () => (await import("./commands/inspect.ts")).inspectCommand,
  meter: async () => (await import("./commands/meter.ts")).meterCommand,
  replay: async () => (await import("./commands/replay.ts")).replayCommand,
  conformance: async () => (await import("./commands/conformance.ts")).conformanceCommand,
};

/** Runs the command line and answers the exit code. Never rejects. */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  // What stands behind -- is no option.
  const asked = (flag: string): boolean =>
    rest.slice(0, rest.includes("--") ? rest.indexOf("--") : undefined).includes(flag);
  try {
    if (name === undefined || name === "--help" || name === "-h" || name === "help") {
      printHelp(await helpOf(await rootCommand()));
      return name === undefined ? EXIT.usage : EXIT.ok;
    }
    if (name === "--version") return printVersion();
    const command = await findCommand(name);
    if (asked("--help") || asked("-h")) {
      printHelp(await helpOf(toCitty(command), await rootCommand()));
      return EXIT.ok;
    }
    if (asked("--version")) return printVersion();
    return await command.run(readArguments(command, rest));
  } catch (error) {
    if (error instanceof UsageError) {
      printError(`keelson: ${error.message}${error.hint === undefined ? "" : `\n  hint: ${error.hint}`}`);
      return EXIT.usage;
    }
    if (asked("--json") && isKeelsonError(error))
      print(JSON.stringify({ type: "error", ...errorJson(error) }));
    else printError(formatError(error, errorOptions(asked("--verbose"))));
    return EXIT.failed;
  }
}

async function findCommand(name: string): Promise<Command> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load !== undefined) return load();
  const isOption = name.startsWith("-");
  const near = suggest(name, isOption ? ["--help", "--version"] : Object.keys(COMMANDS));
  const known = `commands are ${Object.keys(COMMANDS).join(", ")}`;
  throw new UsageError(
    `there is no ${isOption ? "option" : "command"} "${name}"`,
    near === undefined ? known : `did you mean "${near}"?`,
  );
}

async function rootCommand(): Promise<CommandDef> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  return {
    meta: { name: "keelson", version: version(), description: "A plugin kernel for TypeScript hosts" },
    subCommands: Object.fromEntries(commands.map((command) => [command.name, toCitty(command)])),
  };
}

function printHelp(help: string): void {
  print(useColor(process.stdout) ? help : stripVTControlCharacters(help));
}

function printVersion(): number {
  print(version());
  return EXIT.ok;
}

function version(): string {
  // Beside src/ and beside dist/ alike.
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
