import process from "node:process";
import { parseArgs, type ParseArgsConfig } from "node:util";

type Parsed<T extends ParseArgsConfig> = ReturnType<typeof parseArgs<T>>;

/**
 * The arguments of this program as `config` has them, and what `then` makes of them; with `--help` its usage and the end. What is no argument of it, or a
 * RangeError of `then`, is told in a line with the usage, and the end with code 2.
 */
export function readArguments<const T extends ParseArgsConfig, R>(
  usage: string,
  config: T,
  then: (parsed: Parsed<T>) => R,
): R {
  if (process.argv.slice(2).includes("--help")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return then(parseArgs(config));
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof RangeError)) throw error;
    console.error(`${error.message}\n${usage}`);
    process.exit(2);
  }
}
