import { describeThrown, isKeelsonError, KeelsonError, type Platform } from "@keelson/core";
import { allChecks } from "./checks/index.ts";
import { requireGiven } from "./given.ts";
import { formatReport, formatResult } from "./report.ts";
import { runChecks, selectChecks, type Report } from "./run.ts";
import { createSubject, type AdapterModule } from "./subject.ts";

/** Options of {@link runConformance}. */
export interface ConformanceOptions {
  /** The adapter: its exports, or where they are to be imported from. */
  readonly adapter: AdapterModule | URL;
  /** Ids of checks, or contracts ending in a dot, such as "pool.". Default: all. */
  readonly only?: readonly string[];
  /** Print the report as JSON instead of a line a check and a table. Default false. */
  readonly json?: boolean;
  readonly color?: boolean;
  /** Time of one check, ms. Default 30,000. */
  readonly timeoutMs?: number;
  /** Ends the run after the check under way, with `ABORTED`. */
  readonly signal?: AbortSignal;
  /** Takes whole lines. */
  readonly print: (line: string) => void;
}

/**
 * Runs the suite against an adapter and prints how it went. Whoever calls it exits with 1 when `counts.failed` is not 0.
 * @throws KeelsonError `INVALID_OPTIONS` when the adapter cannot be used or a check is unknown
 */
export async function runConformance(options: ConformanceOptions): Promise<Report> {
  const { adapter, only, json = false, color = false, timeoutMs, signal, print } = options ?? {};
  requireGiven(typeof adapter === "object" && adapter !== null, "an adapter, or its URL");
  requireGiven(typeof print === "function", "options with print()");
  // Before anything is imported: runChecks would refuse them as well.
  selectChecks(allChecks, only);
  const exported = "href" in adapter ? await importAdapter(adapter) : adapter;
  checkPlatform(exported);
  const subject = createSubject(exported);
  const report = await runChecks(allChecks, subject, {
    ...(only === undefined ? {} : { only }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(signal === undefined ? {} : { signal }),
    onResult: (result) => {
      if (!json) print(formatResult(result, { color }));
    },
  });
  print(json ? JSON.stringify(report, null, 2) : `\n${formatReport(report, { color })}`);
  return report;
}

/** Without these the checks cannot even begin. */
function checkPlatform(adapter: AdapterModule): void {
  const wrong = (what: string, cause?: unknown): KeelsonError =>
    new KeelsonError("INVALID_OPTIONS", `The adapter's platform() ${what}`, {
      hint: "let it answer a Platform: its name, version, supports and reasons, a clock, random numbers and a log",
      cause,
    });
  let platform: Partial<Platform> | undefined;
  try {
    platform = adapter.platform();
  } catch (cause) {
    throw wrong(`failed: ${describeThrown(cause)}`, cause);
  }
  const { name, version, supports, reasons, clock, random, log } = platform ?? {};
  const missing = Object.entries({ name, version, supports, reasons, clock, random, log })
    .filter(([, value]) => value === undefined || value === null)
    .map(([key]) => key);
  if (missing.length > 0) throw wrong(`answers no platform: it lacks ${missing.join(", ")}`);
}

/** How {@link conformanceCommand} is called. */
export const conformanceUsage: string = `keelson-conformance --adapter <module> [--only <check or contract.>]... [--json] [--list]

  --adapter  module whose exports are the adapter: platform(), and what else it brings
  --only     a check, or a contract with a dot behind it, such as pool.
  --json     print the report as JSON
  --list     print the checks, without running them`;

/** What {@link conformanceCommand} needs of its host. */
export interface CommandHost {
  /** Takes whole lines. */
  readonly print: (line: string) => void;
  /** What relative paths are resolved against. */
  readonly cwd: URL;
  readonly color?: boolean;
  /** Used when no `--adapter` is given. */
  readonly adapter?: AdapterModule;
  readonly signal?: AbortSignal;
}

/** The suite as a command: 0 when all was passed or skipped, 1 when a promise is broken, 2 when it was called in a wrong way. @throws KeelsonError `INVALID_OPTIONS` for a host that cannot print */
export async function conformanceCommand(argv: readonly string[], host: CommandHost): Promise<number> {
  requireGiven(Array.isArray(argv), "a list of arguments");
  requireGiven(typeof host?.print === "function", "a host with print()");
  const { print, cwd, color = false, signal } = host;
  try {
    const { adapter = host.adapter, only, json, list } = parseArguments(argv, cwd);
    if (list) {
      for (const { id, title } of allChecks) print(`${id.padEnd(40)} ${title}`);
      return 0;
    }
    if (adapter === undefined)
      throw new KeelsonError("INVALID_OPTIONS", "No adapter is named", { hint: conformanceUsage });
    const options = {
      adapter,
      json,
      color,
      print,
      ...(only.length === 0 ? {} : { only }),
      ...(signal === undefined ? {} : { signal }),
    };
    const { counts } = await runConformance(options);
    return counts.failed === 0 ? 0 : 1;
  } catch (error) {
    if (!isKeelsonError(error)) throw error;
    print(error.message);
    return 2;
  }
}

function parseArguments(
  argv: readonly string[],
  cwd: URL,
): { adapter?: URL; only: string[]; json: boolean; list: boolean } {
  const found: { adapter?: URL; only: string[]; json: boolean; list: boolean } = {
    only: [],
    json: false,
    list: false,
  };
  const words = argv.flatMap((word) =>
    /^--\w+=/.test(word) ? [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)] : [word],
  );
  while (words.length > 0) {
    const flag = words.shift();
    if (flag === "--json" || flag === "--list") found[flag === "--json" ? "json" : "list"] = true;
    else if ((flag === "--adapter" || flag === "--only") && words[0] !== undefined) {
      const value = words.shift() as string;
      if (flag === "--only") found.only.push(value);
      else found.adapter = new URL(value, cwd);
    } else
      throw new KeelsonError("INVALID_OPTIONS", `"${flag}" is not understood`, { hint: conformanceUsage });
  }
  return found;
}

async function importAdapter(url: URL): Promise<AdapterModule> {
  let exported: Partial<AdapterModule>;
  try {
    exported = (await import(url.href)) as Partial<AdapterModule>;
  } catch (cause) {
    throw new KeelsonError("INVALID_OPTIONS", `The adapter ${url.pathname} could not be imported`, {
      hint: "give the path of a JavaScript or TypeScript module that this runtime can run",
      cause,
    });
  }
  if (typeof exported.platform !== "function") {
    throw new KeelsonError("INVALID_OPTIONS", `The adapter ${url.pathname} exports no platform()`, {
      hint: "export function platform(): Platform",
    });
  }
  return exported as AdapterModule;
}
