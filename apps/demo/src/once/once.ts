import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createDisplay, shutdownOnSignals, type ShutdownReport } from "keelson";
import { checkSystem, printReport } from "./aftermath.ts";
import { get, post } from "./client.ts";
import { Expectations } from "./expectations.ts";
import type { Shelf } from "../library.ts";
import type { Sabotage } from "../options.ts";
import { RUN_MARK } from "../plugins.ts";
import { openPress, repository, type Press, type PressCounts } from "../press.ts";
import { showRunaways } from "./showing-runaways.ts";
import { showNumbers, showPages, showStorm, showTrials } from "./showing.ts";
import { runawayNames } from "../trials/runaways.ts";
import { RequestStream, type StreamCounts } from "./stream.ts";
import { lookUntil } from "./system.ts";

const READERS = 4;

/** Options of {@link runOnce}. */
export interface OnceOptions {
  readonly port?: number;
  readonly sabotage?: readonly Sabotage[];
  /** Takes what is printed, a line at a time. Default: standard output. */
  readonly print?: (line: string) => void;
}

/**
 * Does all that Press can do once, over real connections and with requests in flight throughout, then shuts down and looks at the
 * system. Answers whether every expectation held.
 */
export async function runOnce(options: OnceOptions = {}): Promise<boolean> {
  const { port = 0, sabotage = [] } = options;
  const print = withoutRepeats(options.print ?? ((line): void => console.log(line)));
  const expect = new Expectations(print);
  const drafts = await mkdtemp(join(tmpdir(), "press-drafts-"));
  const shelves = [
    { prefix: "", folder: repository },
    { prefix: "drafts/", folder: drafts },
  ];
  try {
    // Runtimes start threads and open descriptors when they first do a thing, and keep them: what is compared is a second life.
    const warmMark = await warmUp(shelves);
    const before = await lookUntil([warmMark], ({ processes }) => processes.length === 0, 5_000);

    const display = createDisplay({ output: { write: (text: string) => print(text.trimEnd()) } });
    const press = await openPress({ port, shelves, watch: (kernel) => display.show(kernel) });
    // An interrupted run ends early, and fails.
    using _signals = shutdownOnSignals(press.kernel, { before: async () => void (await press.close()) });
    const { name, version } = press.kernel.platform;
    print(`Press serves this repository's pages on ${press.url} (${name} ${version})`);
    let readers: RequestStream | undefined;
    let stream: StreamCounts | undefined;
    let counts: PressCounts;
    let report: ShutdownReport;
    try {
      await showPages(press, expect, drafts);
      readers = new RequestStream(press.url, await streamPaths(press, sabotage), READERS);
      await showTrials(press, expect, readers);
      await showStorm(press, expect);
      // Damage is seen without them, and they take long.
      if (sabotage.length === 0) await showRunaways(press, expect, readers);
      await showNumbers(press, expect);
    } finally {
      stream = await readers?.stop();
      if (stream !== undefined) checkStream(stream, expect);
      ({ counts } = press);
      report = await press.close();
      display[Symbol.dispose]();
    }
    const orphan = sabotage.includes("orphan") ? leaveBehind(press.mark) : undefined;
    try {
      const after = await checkSystem(press, before, report, expect);
      printReport(counts, stream, report, { before, after }, print);
    } finally {
      if (orphan !== undefined) process.kill(orphan, "SIGKILL");
    }
  } finally {
    await rm(drafts, { recursive: true });
  }
  print(expect.summary());
  return expect.held;
}

/** Says how often a line came again instead of printing it again; a time of day before it does not count. */
function withoutRepeats(print: (line: string) => void): (line: string) => void {
  let last = "";
  let repeats = 0;
  return (line) => {
    const text = line.replace(/^\d\d:\d\d:\d\d\.\d{3} /, "");
    if (text === last && text !== line) {
      repeats++;
      return;
    }
    if (repeats > 0) print(`             … ${repeats} more of these`);
    repeats = 0;
    last = text;
    print(line);
  };
}

async function warmUp(shelves: readonly Shelf[]): Promise<string> {
  const press = await openPress({ shelves });
  try {
    await Promise.all(Array.from({ length: 50 }, () => get(press.url, "/pages/README.md")));
    await post(press.url, "/try/kill");
    await post(press.url, "/try/replace-good");
    await post(press.url, "/try/terminate");
    await Promise.all(runawayNames.map((name) => post(press.url, `/try/${name}`)));
  } finally {
    await press.close();
  }
  return press.mark;
}

/** What the readers ask for all the while: every page, the list, the status and the metrics. */
async function streamPaths({ url }: Press, sabotage: readonly Sabotage[]): Promise<readonly string[]> {
  const { body } = await get(url, "/");
  const pages = [...body.matchAll(/href="(\/pages\/[^"]+)"/g)].map(([, path = "/"]) => path);
  return [
    ...pages,
    "/",
    "/status",
    "/metrics",
    ...(sabotage.includes("request") ? ["/pages/no-such-page.md"] : []),
  ];
}

function checkStream({ sent, ok, degraded, failures }: StreamCounts, expect: Expectations): void {
  const detail = `${sent} sent, ${ok} answered, ${degraded} without a filter`;
  expect.that("no request of the steady stream failed", sent > 0 && ok === sent, failures[0] ?? detail);
}

/** A process that the kernel has not started and cannot know of, marked as Press's own; its id. Started by a shell that ends, so that nothing ties it to Press. */
function leaveBehind(mark: string): number {
  const script = "sleep 60 < /dev/null > /dev/null 2>&1 & echo $!";
  const env = { ...process.env, [RUN_MARK]: mark };
  return Number(execFileSync("sh", ["-c", script], { env, encoding: "utf8" }));
}
