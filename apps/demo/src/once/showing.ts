import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { get, post, type Answer } from "./client.ts";
import type { Expectations } from "./expectations.ts";
import type { Press } from "../press.ts";
import type { RequestStream } from "./stream.ts";
import type { TrialName } from "../trials/trials.ts";

const CONCURRENT = 200;
const CRASHES = 20;

const DRAFT = `# A draft

It "said" <script>alert(1)</script> and [x](javascript:alert(1)).

\`\`\`ts
const x = 1;
\`\`\`
`;

/** Pages and what becomes of them: made by every kind of plugin, there at the next request, harmless, and no way out of the folder. */
export async function showPages({ url }: Press, expect: Expectations, drafts: string): Promise<void> {
  const index = await get(url, "/");
  const listed = index.status === 200 && index.body.includes('href="/pages/README.md"');
  expect.that("/ lists the repository's pages", listed);

  const draft = join(drafts, "draft.md");
  const path = "/pages/drafts/draft.md";
  await writeFile(draft, DRAFT);
  const { body } = await get(url, path);
  expect.that("a file that was added is served at the next request", body.includes("A draft"));
  expect.that("… made by a native plugin (Markdown)", body.includes('<h1 id="a-draft">'));
  expect.that(
    "… by a child process (colours in code)",
    body.includes('<span class="hl-keyword">const</span>'),
  );
  expect.that("… by AssemblyScript, profile keelson (quotation marks)", body.includes("“said”"));
  expect.that("… by wat, profile gonext (words)", /<p class="reading">\d+ words<\/p>/.test(body));
  expect.that("… and it is listed", (await get(url, "/")).body.includes(path));
  const escaped = body.includes("&lt;script&gt;alert(1)&lt;/script&gt;") && !body.includes("<script");
  expect.that(
    "raw HTML is escaped, and no link leads to a script",
    escaped && !body.includes('href="javascript'),
  );
  await writeFile(draft, "# An edited draft\n");
  const edited = await get(url, path);
  expect.that(
    "a file that was edited is served at the next request",
    edited.body.includes("An edited draft"),
  );

  const outside = [
    "/pages/../package.json",
    "/pages/..%2f..%2fetc%2fpasswd.md",
    "/pages/docs/%2e%2e/%2e%2e/x.md",
  ];
  const answers = await Promise.all(outside.map((way) => get(url, way)));
  expect.that(
    "paths that lead out of the folder are refused",
    answers.every(({ status }) => status === 403),
  );
}

/** Each trial once, while readers go on. */
export async function showTrials({ url }: Press, expect: Expectations, stream: RequestStream): Promise<void> {
  const looked = await Promise.all([
    get(url, "/try/kill"),
    post(url, "/try/kill", { origin: "http://elsewhere.example" }),
  ]);
  const { counts } = await statusOf(url);
  expect.that(
    "a look at a trial's address starts nothing, and neither does a form of another site",
    looked.map(({ status }) => status).join() === "405,403" && counts.restarts === 0,
    looked.map(({ status }) => status).join(", "),
  );
  const attempt = async (name: TrialName, what: string, ...says: readonly RegExp[]): Promise<void> => {
    const sent = stream.counts.sent;
    const answer = await post(url, `/try/${name}`);
    expect.that(what, answer.status === 200, accountOf(answer));
    expect.that(
      "… the page says what happened",
      says.every((part) => part.test(answer.body)),
    );
    // Readers are at it before, meanwhile and afterwards.
    while (stream.counts.sent < sent + 10) await get(url, "/pages/README.md");
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
export async function showStorm({ url, counts: { restarts } }: Press, expect: Expectations): Promise<void> {
  const crashes: readonly TrialName[] = ["trap", "kill"];
  const each = CONCURRENT / CRASHES;
  const all = Array.from({ length: CONCURRENT }, async (_, index) => {
    const crash = index % each === 0 ? crashes[(index / each) % crashes.length] : undefined;
    const asked = crash === undefined ? get(url, "/pages/README.md") : post(url, `/try/${crash}`);
    const answer = await asked.catch(() => undefined);
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

/** What Press tells about itself. */
export async function showNumbers({ url, plugins }: Press, expect: Expectations): Promise<void> {
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
  expect.that(
    "/status shows every plugin running",
    running.length === plugins.length,
    running.sort().join(", "),
  );
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
