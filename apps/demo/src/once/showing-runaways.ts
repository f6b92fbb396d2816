import { setTimeout as wait } from "node:timers/promises";
import type { Fact } from "../trials/account.ts";
import { get } from "./client.ts";
import type { Expectations } from "./expectations.ts";
import { Heartbeat } from "../trials/heartbeat.ts";
import type { Press } from "../press.ts";
import { canShare, RUNAWAY_MEMORY_BYTES, runawayNames, runaways } from "../trials/runaways.ts";
import type { RequestStream } from "./stream.ts";
import type { LooseName } from "../trials/trials.ts";

/** Runaway requests that are in flight while other pages are read. */
const IN_FLIGHT = 32;
/** What others may wait for at most, ms. */
interface Bound {
  /** On a machine with nothing else to do. */
  readonly wanted: number;
  /** A failure on any machine. */
  readonly failure: number;
}

/** Runaways that hold the thread while they run: three stops of 50 ms, then their plugin is in quarantine. */
const EXCLUSIVE: Bound = { wanted: 200, failure: 1000 };
/** How long pages are read without runaways, to compare with, ms. */
const ALONE_MS = 1500;
/** Runaways that share it. One after the other they would hold it for 1600 ms. */
const SHARED: Bound = { wanted: 20, failure: 500 };

interface Told {
  readonly title: string;
  readonly kept: boolean;
  readonly facts: readonly Fact[];
}

/** Plugins that never end by themselves, let loose while readers go on and a heart beats in the same thread. */
export async function showRunaways(
  { url, kernel }: Press,
  expect: Expectations,
  stream: RequestStream,
): Promise<void> {
  const heart = new Heartbeat();
  try {
    for (const name of runawayNames) await showOne(url, expect, stream, name);
    await showCrowd(url, expect);
    await showInFlight(url, expect);
  } finally {
    await heart.stop();
  }
  within(expect, "the heartbeat's largest gap in all that time", heart.largestGapMs, EXCLUSIVE);
  if (canShare(kernel)) await showTurns(url, expect);
  await showTerminate(url, expect);
}

async function showOne(
  url: string,
  expect: Expectations,
  stream: RequestStream,
  name: (typeof runawayNames)[number],
): Promise<void> {
  const { code, title } = runaways[name];
  const { ok: before } = stream.counts;
  const { kept, facts } = await letLoose(url, name);
  const fact = factsOf(facts);
  expect.that(`${title.toLowerCase()}: ${code}`, kept && fact("error").startsWith(code), fact("error"));
  const usage = [fact("fuel"), fact("running time"), `memory: ${fact("memory at its peak")}`];
  const told = /^[\d,]+ units$/.test(usage[0] ?? "") && /^[\d.]+ ms$/.test(usage[1] ?? "");
  expect.that("… and what it used is told", told, usage.join(", "));
  if (name === "hungry") {
    const peak = Number.parseFloat(fact("memory at its peak")) * 2 ** 20;
    expect.that(
      "… its memory ended at its cap",
      peak <= RUNAWAY_MEMORY_BYTES && peak > RUNAWAY_MEMORY_BYTES / 2,
      `growth refused ${fact("growth refused")}`,
    );
  }
  expect.that("… the plugin answers the next call", fact("a good call afterwards").startsWith("42,"));
  // Readers are at it before, meanwhile and afterwards.
  while (stream.counts.ok < before + 10) await get(url, "/pages/README.md");
}

async function showCrowd(url: string, expect: Expectations): Promise<void> {
  const { title, kept, facts } = await letLoose(url, "crowd");
  const fact = factsOf(facts);
  expect.that(title.toLowerCase(), kept, facts.map(({ name, value }) => `${name}: ${value}`).join("; "));
  const refused = Number.parseInt(fact("MODULE_QUARANTINED"), 10);
  expect.that("… most of them by quarantine, before they began", refused > 90, `${refused} refused`);
  expect.that("… and a page made meanwhile is whole", fact("a page made meanwhile").startsWith("whole"));
}

/** Requests for runaways by the dozen, each of which holds the thread while it runs. */
async function showInFlight(url: string, expect: Expectations): Promise<void> {
  // Not the plugin of the crowd, which is in quarantine.
  const { value: told, reading } = await whileReading(url, () =>
    Promise.all(Array.from({ length: IN_FLIGHT }, () => letLoose(url, "stubborn"))),
  );
  expect.that(
    `${IN_FLIGHT} requests for runaways at once: each is stopped or refused, and every other page is whole`,
    told.every(({ kept }) => kept) && reading.damaged === 0,
    `${reading.pages} pages`,
  );
  within(expect, "… the slowest other page meanwhile", reading.slowestMs, EXCLUSIVE);
}

/** As many that share it, and what the same readers see without them. */
async function showTurns(url: string, expect: Expectations): Promise<void> {
  const { reading: alone } = await whileReading(url, () => wait(ALONE_MS));
  const heart = new Heartbeat();
  const { value: told, reading } = await whileReading(url, () => letLoose(url, "turns"));
  await heart.stop();
  const { title, kept, facts } = told;
  expect.that(
    `${title}, and every other page is whole`,
    kept && reading.damaged === 0,
    [`${reading.pages} pages`, ...facts.map(({ name, value }) => `${name}: ${value}`)].join("; "),
  );
  const slowest = `… the slowest other page meanwhile (without them ${Math.round(alone.slowestMs)} ms)`;
  within(expect, slowest, reading.slowestMs, SHARED);
  within(expect, "… the heartbeat's largest gap meanwhile", heart.largestGapMs, SHARED);
}

/** What readers saw. */
interface Reading {
  readonly pages: number;
  /** Not answered, or not whole. */
  readonly damaged: number;
  /** From the request to the end of the answer, ms. */
  readonly slowestMs: number;
}

/** Does `work` while two readers ask for page after page. */
async function whileReading<T>(
  url: string,
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly reading: Reading }> {
  let pages = 0;
  let damaged = 0;
  let slowestMs = 0;
  let over = false;
  const read = async (): Promise<void> => {
    do {
      const from = performance.now();
      const { status, headers } = await get(url, "/pages/README.md");
      slowestMs = Math.max(slowestMs, performance.now() - from);
      pages++;
      if (status !== 200 || headers.has("press-skipped")) damaged++;
    } while (!over);
  };
  const readers = Promise.all([read(), read()]);
  try {
    const value = await work();
    over = true;
    await readers;
    return { value, reading: { pages, damaged, slowestMs } };
  } finally {
    over = true;
    await readers;
  }
}

async function showTerminate(url: string, expect: Expectations): Promise<void> {
  const { kept, title, facts } = await letLoose(url, "terminate");
  const fact = factsOf(facts);
  const detail = ["terminate()", "before", "after", "SIGKILL"].map((name) => `${name}: ${fact(name)}`);
  expect.that(`worker.terminate(), measured in a child that is killed: ${title}`, kept, detail.join("; "));
}

/** Fails only far beyond what is wanted, since the machine may do other things as well; prints all three figures. */
function within(expect: Expectations, what: string, ms: number, { wanted, failure }: Bound): void {
  const figures = `${Math.round(ms)} ms of ${wanted} wanted, a failure beyond ${failure}`;
  expect.that(what, ms <= failure, figures);
}

async function letLoose(url: string, name: LooseName): Promise<Told> {
  const { body } = await get(url, `/try/${name}`, { accept: "application/json" });
  return JSON.parse(body) as Told;
}

function factsOf(facts: readonly Fact[]): (name: string) => string {
  return (name) => String(facts.find((fact) => fact.name === name)?.value ?? "");
}
