import { parseArgs } from "node:util";
import { runtimeNames, type RuntimeName } from "./runtime.ts";

/** Deliberate damage by which `--once` can be seen to fail. */
export const sabotages = ["orphan", "request"] as const;

export type Sabotage = (typeof sabotages)[number];

/** What the command line asks for. */
export interface Options {
  readonly help: boolean;
  readonly once: boolean;
  readonly port: number;
  readonly runtime: RuntimeName | undefined;
  readonly sabotage: readonly Sabotage[];
}

export const help = `Press: this repository's Markdown files as pages, made by Keelson plugins of every kind.

Usage: npm start -- [options]

  --port <number>       Listen on this port of 127.0.0.1; default: a free one.
  --once                Do all of it once without a person, with requests in flight throughout: print a line an event, a line
                        an expectation, and what the system shows afterwards. Ends with 0 only if every expectation held.
  --runtime <name>      Run on node, deno or bun, as installed in this repository; default: the runtime that runs this.
  --sabotage <what>     With --once only, to see it fail: "orphan" leaves a process behind that the kernel knows nothing of,
                        "request" mixes a request that must fail into the others. May be given twice. Leaves out the
                        runaways, which take long. Ends with 1.
  --help                Print this.
`;

/**
 * Reads the command line.
 * @throws TypeError or RangeError that says what is wrong
 */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: "boolean", short: "h", default: false },
      once: { type: "boolean", default: false },
      port: { type: "string", default: "0" },
      runtime: { type: "string" },
      sabotage: { type: "string", multiple: true, default: [] },
    },
  });
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535)
    throw new RangeError("--port takes a number from 0 to 65535");
  const runtime = values.runtime === undefined ? undefined : oneOf("--runtime", runtimeNames, values.runtime);
  const sabotage = values.sabotage.map((what) => oneOf("--sabotage", sabotages, what));
  if (sabotage.length > 0 && !values.once) throw new RangeError("--sabotage goes with --once");
  return { help: values.help, once: values.once, port, runtime, sabotage };
}

function oneOf<T extends string>(option: string, names: readonly T[], value: string): T {
  const found = names.find((name) => name === value);
  if (found === undefined) throw new RangeError(`${option} takes one of ${names.join(", ")}`);
  return found;
}
