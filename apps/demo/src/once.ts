import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createDisplay, type ShutdownReport } from "keelson";
import { get, type Answer } from "./client.ts";
import { Expectations } from "./expectations.ts";
import type { Sabotage } from "./options.ts";
import { RUN_MARK } from "./plugins.ts";
import { openPress, repository, type Press, type PressCounts } from "./press.ts";
import type { Shelf } from "./library.ts";
import { RequestStream, type StreamCounts } from "./stream.ts";
import { lookUntil, type SystemLook } from "./system.ts";
import type { TrialName } from "./trials.ts";

const READERS = 4;
const CONCURRENT = 200;
const CRASHES = 20;
/** Descriptors and threads that the runtimes themselves open or close at their leisure. */
const TOLERANCE = 2;

/** Options of {@link runOnce}. */
export interface OnceOptions {
  readonly port?: number;
  readonly sabotage?: Sabotage | undefined;
  /** Takes what is printed, a line at a time. Default: standard output. */
  readonly print?: (line: string) => void;
}

/**
 * Does all that Press can do once, over real connections and with requests in flight throughout, then shuts down and looks at the
 * system. Answers whether every expectation held.
 */
export async function runOnce(options: OnceOptions = {}): Promise<boolean> {
  const { port = 0, sabotage } = options;
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
      await showNumbers(press, expect);
    } finally {
      stream = await readers?.stop();
      if (stream !== undefined) checkStream(stream, expect);
      ({ counts } = press);
      report = await press.close();
      display[Symbol.dispose]();
    }
    const orphan = sabotage === "orphan" ? leaveBehind(press.mark) : undefined;
    try {
      const after = await checkSystem(press, before, report, expect);
      printReport(counts, stream, report, { before, after }, print);
    } finally {
      orphan?.kill("SIGKILL");
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
    await get(press.url, "/try/kill");
    await get(press.url, "/try/replace-good");
  } finally {
    await press.close();
  }
  return press.mark;
}

async function showPages({ url }: Press, expect: Expectations, drafts: string): Promise<void> {
  const index = await get(url, "/");
  expect.that(
    "/ lists the repository's pages",
    index.status === 200 && index.body.includes('href="/pages/README.md"'),
  );
  const page = await get(url, "/pages/docs/hooks.md");
  const has = (text: string): boolean => page.body.includes(text);
  expect.that("a page is made by a native plugin (Markdown)", has('<h1 id="hooks">'));
  expect.that("… by a child process (colours in code)", has('class="hl-keyword"'));
  expect.that("… by AssemblyScript, profile keelson (quotation marks)", has("’s own extension points"));
  expect.that("… by wat, profile gonext (words)", /<p class="reading">\d+ words<\/p>/.test(page.body));

  const draft = join(drafts, "draft.md");
  await writeFile(draft, "# A draft\n\nIt says <script>alert(1)</script> and [x](javascript:alert(1)).\n");
  const added = await get(url, "/pages/drafts/draft.md");
  expect.that("a file that was added is served at the next request", added.body.includes("A draft"));
  const escaped =
    added.body.includes("&lt;script&gt;alert(1)&lt;/script&gt;") && !added.body.includes("<script");
  expect.that(
    "raw HTML is escaped, and no link leads to a script",
    escaped && !added.body.includes('href="javascript'),
  );
  expect.that("… and it is listed", (await get(url, "/")).body.includes("/pages/drafts/draft.md"));
  await writeFile(draft, "# An edited draft\n");
  const edited = await get(url, "/pages/drafts/draft.md");
  expect.that(
    "a file that was edited is served at the next request",
    edited.body.includes("An edited draft"),
  );

  const outside = [
    "/pages/../package.json",
    "/pages/..%2f..%2fetc%2fpasswd.md",
    "/pages/docs/%2e%2e/%2e%2e/x.md",
  ];
  const answers = await Promise.all(outside.map((path) => get(url, path)));
  expect.that(
    "paths that lead out of the folder are refused",
    answers.every(({ status }) => status === 403),
  );
}

/** What the readers ask for all the while: every page, the list, the status and the metrics. */
async function streamPaths({ url }: Press, sabotage: Sabotage | undefined): Promise<readonly string[]> {
  const { body } = await get(url, "/");
  const pages = [...body.matchAll(/href="(\/pages\/[^"]+)"/g)].map(([, path = "/"]) => path);
  return [
    ...pages,
    "/",
    "/status",
    "/metrics",
    ...(sabotage === "request" ? ["/pages/no-such-page.md"] : []),
  ];
}

async function showTrials({ url }: Press, expect: Expectations, stream: RequestStream): Promise<void> {
  const attempt = async (name: TrialName, what: string, ...says: readonly RegExp[]): Promise<void> => {
    const sent = stream.counts.sent;
    const answer = await get(url, `/try/${name}`);
    expect.that(what, answer.status === 200, accountOf(answer));
    expect.that(
      "… the page says what happened",
      says.every((part) => part.test(answer.body)),
    );
    // Readers are at it before, meanwhile and afterwards.
    while (stream.counts.sent < sent + READERS * 2) await get(url, "/pages/README.md");
  };
  const numbered = /generation<\/dt><dd>\d+ before, \d+ after/;
  const restarts = /restarts<\/dt><dd>\d+/;
  const recovery = /time to recover<\/dt><dd>[\d.]+ ms/;
  await attempt(
    "trap",
    "a plugin traps: one call ends, the module goes on",
    /WASM_TRAP/,
    numbered,
    restarts,
    recovery,
  );
  await attempt("kill", "the child is killed by SIGKILL and started again", numbered, restarts, recovery);
  await attempt(
    "replace-broken",
    "a broken version is rolled back",
    /RELOAD_FAILED/,
    /1\.0\.0 before, 1\.0\.0 after/,
    numbered,
  );
  const still = await get(url, "/pages/README.md");
  expect.that("… and the old version serves on", /<p class="reading">\d+ words/.test(still.body));
  await attempt("replace-good", "a good version takes over", /1\.0\.0 before, 2\.0\.0 after/, numbered);
  const now = await get(url, "/pages/README.md");
  expect.that("… and the new version serves", /<p class="reading">\d+ min read/.test(now.body));
}

/** 200 requests at once, every tenth of them to a page that breaks something. */
async function showStorm({ url, counts: { restarts } }: Press, expect: Expectations): Promise<void> {
  const crashes: readonly TrialName[] = ["trap", "kill"];
  const each = CONCURRENT / CRASHES;
  const all = Array.from({ length: CONCURRENT }, async (_, index) => {
    const crash = index % each === 0 ? crashes[(index / each) % crashes.length] : undefined;
    const path = crash === undefined ? "/pages/docs/hooks.md" : `/try/${crash}`;
    const answer = await get(url, path).catch(() => undefined);
    return {
      crash: crash !== undefined,
      ok: answer?.status === 200,
      whole: answer?.headers.has("press-skipped") === false,
    };
  });
  const answers = await Promise.all(all);
  const crashed = answers.filter(({ crash }) => crash);
  const others = answers.filter(({ crash }) => !crash);
  const served = others.filter(({ ok }) => ok).length;
  const whole = others.filter((answer) => answer.ok && answer.whole).length;
  expect.that(
    `of ${CONCURRENT} requests at once, ${CRASHES} of them to crash pages, no other fails`,
    served === CONCURRENT - CRASHES && crashed.length === CRASHES,
    `${served} of ${others.length} served, ${whole} whole, ${served - whole} without a filter and saying so`,
  );
  const kept = crashed.filter(({ ok }) => ok).length;
  expect.that("… and each crash page tells of a recovery", kept === CRASHES, `${kept} of ${CRASHES}`);
  const status = await statusOf(url);
  const done = status.counts.restarts - restarts;
  expect.that("… the child was really killed again and again", done === CRASHES / 2, `${done} restarts`);
}

async function showNumbers({ url }: Press, expect: Expectations): Promise<void> {
  const metrics = await get(url, "/metrics");
  const type = metrics.headers.get("content-type") ?? "";
  const { body } = metrics;
  expect.that(
    "/metrics is OpenMetrics text",
    type.startsWith("application/openmetrics-text") && body.endsWith("# EOF\n"),
  );
  const counted = [
    "keelson_pool_recycle_total",
    "keelson_restarts_total",
    "press_requests_total",
    "press_visits_total",
  ];
  expect.that(
    "… with the kernel's series, a plugin's and Press's own",
    counted.every((name) => body.includes(name)),
  );
  const { modules } = await statusOf(url);
  const running = modules.filter(({ state }) => state === "running").map(({ id }) => id);
  expect.that("/status shows every plugin running", running.length === 5, running.sort().join(", "));
}

function checkStream({ sent, ok, degraded, failures }: StreamCounts, expect: Expectations): void {
  const detail = `${sent} sent, ${ok} answered, ${degraded} without a filter`;
  expect.that("no request of the steady stream failed", sent > 0 && ok === sent, failures[0] ?? detail);
}

/** A process that the kernel has not started and cannot know of, marked as Press's own. */
function leaveBehind(mark: string): ReturnType<typeof spawn> {
  return spawn("sleep", ["60"], {
    env: { ...process.env, [RUN_MARK]: mark },
    detached: true,
    stdio: "ignore",
  });
}

async function checkSystem(
  { mark }: Press,
  before: SystemLook,
  report: ShutdownReport,
  expect: Expectations,
): Promise<SystemLook> {
  const clean = report.orphans.length === 0 && report.errors.length === 0;
  const detail = report.errors.map(({ id, error }) => `${id}: ${error.message}`).join("; ");
  expect.that(
    "the kernel reports 5 modules stopped, no orphan, no error",
    clean && report.terminated.length === 5,
    detail,
  );
  const near = (now?: number, then?: number): boolean => now === undefined || now <= (then ?? 0) + TOLERANCE;
  const settled = (now: SystemLook): boolean =>
    now.processes.length === 0 &&
    near(now.threads, before.threads) &&
    near(now.descriptors, before.descriptors);
  // Threads of the runtimes' pools that have nothing to do end within seconds.
  const after = await lookUntil([mark], settled, 15_000);
  const alive = after.processes.map(({ pid, command }) => `${pid} ${command}`).join("; ");
  expect.that("the system shows no process of ours any more", after.processes.length === 0, alive);
  expect.that(
    "… no thread more than before",
    near(after.threads, before.threads),
    change(before.threads, after.threads),
  );
  const descriptors = change(before.descriptors, after.descriptors);
  expect.that(
    "… and no descriptor more than before",
    near(after.descriptors, before.descriptors),
    descriptors,
  );
  return after;
}

function change(before: number | undefined, after: number | undefined): string {
  return before === undefined || after === undefined
    ? "not visible on this system"
    : `${before} before, ${after} after`;
}

function printReport(
  counts: PressCounts,
  stream: StreamCounts | undefined,
  report: ShutdownReport,
  { before, after }: { readonly before: SystemLook; readonly after: SystemLook },
  print: (line: string) => void,
): void {
  print("");
  print(`requests   served ${counts.served}, failed ${counts.failed}, without a filter ${counts.degraded}`);
  print(`stream     sent ${stream?.sent ?? 0}, failed ${stream?.failures.length ?? 0}`);
  print(`plugins    restarts ${counts.restarts}, rollbacks ${counts.rollbacks}`);
  print(
    `kernel     stopped ${report.terminated.join(", ")}; orphans ${report.orphans.length}, errors ${report.errors.length}`,
  );
  const alive = after.processes.map(({ pid, command }) => `${pid} ${command}`);
  print(`system     processes alive: ${alive.length === 0 ? "none" : alive.join("; ")}`);
  print(`           threads ${change(before.threads, after.threads)}`);
  print(`           descriptors ${change(before.descriptors, after.descriptors)}`);
  print("");
}

interface Status {
  readonly counts: { readonly restarts: number };
  readonly modules: readonly { readonly id: string; readonly state: string }[];
}

async function statusOf(url: string): Promise<Status> {
  return JSON.parse((await get(url, "/status")).body) as Status;
}

/** The facts of a trial's page on one line. */
function accountOf({ body }: Answer): string {
  const facts = [...body.matchAll(/<dt>([^<]*)<\/dt><dd>([^<]*)<\/dd>/g)];
  return facts.map(([, name, value]) => `${name}: ${value}`).join("; ");
}
