import { KeelsonError, suggest } from "@keelson/core";
import { allChecks } from "./checks/index.ts";
import { formatReport, formatResult } from "./report.ts";
import { runChecks, type Report } from "./run.ts";
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
  /** Takes whole lines. */
  readonly print: (line: string) => void;
}

/**
 * Runs the suite against an adapter and prints how it went. Whoever calls it exits with 1 when `counts.failed` is not 0.
 * @throws KeelsonError `INVALID_OPTIONS` when the adapter cannot be used or a check is unknown
 */
export async function runConformance({ adapter, only, json = false, color = false, print }: ConformanceOptions): Promise<Report> {
  for (const part of only ?? []) checkKnown(part);
  const subject = createSubject("href" in adapter ? await importAdapter(adapter) : adapter);
  const report = await runChecks(allChecks, subject, {
    ...(only === undefined ? {} : { only }),
    onResult: (result) => {
      if (!json) print(formatResult(result, { color }));
    },
  });
  print(json ? JSON.stringify(report, null, 2) : `\n${formatReport(report, { color })}`);
  return report;
}

function checkKnown(part: string): void {
  if (allChecks.some(({ id }) => id === part || (part.endsWith(".") && id.startsWith(part)))) return;
  const near = suggest(part, allChecks.map(({ id }) => id));
  throw new KeelsonError("INVALID_OPTIONS", `There is no check "${part}"`, {
    hint: near === undefined ? 'name a check, or a contract with a dot behind it, such as "pool."' : `did you mean "${near}"?`,
  });
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
