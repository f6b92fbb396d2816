import { parseArgs, renderUsage, type ArgsDef, type CommandDef } from "citty";
import { suggest } from "@keelson/core";

/** A command line that cannot be understood: exit code 2. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** A command of the program: what citty needs for its help, and what is run. */
export interface Command {
  readonly name: string;
  readonly description: string;
  readonly args: ArgsDef;
  /** Answers the exit code. */
  run(args: ParsedArguments): Promise<number>;
}

/** The arguments of one command, checked against its definitions. */
export interface ParsedArguments {
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
  flag(name: string): boolean;
}

/** Options that every command has. */
export const COMMON: ArgsDef = {
  verbose: { type: "boolean", description: "Print the stacks of errors" },
  help: { type: "boolean", alias: "h", description: "Print this help" },
  version: { type: "boolean", description: "Print the version" },
};

/** citty's form of a command, for its help. */
export function toCitty(command: Command): CommandDef {
  return {
    meta: { name: command.name, description: command.description },
    args: { ...command.args, ...COMMON },
  };
}

/**
 * Reads the arguments behind a command's name. citty passes over what it does not know, so unknown flags, values for flags that take
 * none and words too many are refused here.
 * @throws UsageError
 */
export function readArguments(command: Command, argv: readonly string[]): ParsedArguments {
  const defs: ArgsDef = { ...command.args, ...COMMON };
  const positionals = Object.entries(defs).filter(([, { type }]) => type === "positional");
  const words: string[] = [];
  const texts = new Map<string, string[]>();
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? "";
    if (word === "--") {
      words.push(...argv.slice(index + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      words.push(word);
      continue;
    }
    const [flag = "", ...rest] = word.split("=");
    const name = nameOf(flag, defs, command);
    const takesText = defs[name]?.type === "string";
    if (!takesText) {
      if (rest.length > 0) throw new UsageError(`${flag} takes no value`, usageHint(command));
      continue;
    }
    const value = rest.length > 0 ? rest.join("=") : argv[++index];
    if (value === undefined || value === "" || (rest.length === 0 && value.startsWith("-"))) {
      throw new UsageError(`${flag} needs a value`, usageHint(command));
    }
    texts.set(name, [...(texts.get(name) ?? []), value]);
  }
  const extra = words[positionals.length];
  if (extra !== undefined) throw new UsageError(`"${extra}" is one argument too many`, usageHint(command));
  for (const [index, [name, { required }]] of positionals.entries()) {
    if (required !== false && words[index] === undefined)
      throw new UsageError(`<${name}> is missing`, usageHint(command));
  }
  const parsed = parseArgs([...argv], defs);
  return {
    text: (name) => texts.get(name)?.at(-1) ?? (typeof parsed[name] === "string" ? parsed[name] : undefined),
    texts: (name) => texts.get(name) ?? [],
    flag: (name) => parsed[name] === true,
  };
}

function nameOf(flag: string, defs: ArgsDef, command: Command): string {
  for (const [name, def] of Object.entries(defs)) {
    if (def.type === "positional") continue;
    const aliases = "alias" in def ? [def.alias ?? []].flat() : [];
    if (flag === `--${name}` || aliases.some((alias) => flag === `-${alias}`)) return name;
  }
  const flags = Object.entries(defs).filter(([, { type }]) => type !== "positional");
  const near = suggest(
    flag.replace(/^-+/, ""),
    flags.map(([name]) => name),
  );
  throw new UsageError(
    `${command.name} has no option ${flag}`,
    near === undefined ? usageHint(command) : `did you mean --${near}?`,
  );
}

function usageHint(command: Command): string {
  return `keelson ${command.name} --help shows what it takes`;
}

/** Help as citty writes it. Its colours must be taken out by whoever prints where none are wanted. */
export function helpOf(command: CommandDef, parent?: CommandDef): Promise<string> {
  return renderUsage(command, parent);
}
