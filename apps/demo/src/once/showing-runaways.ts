import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import type { Kernel } from "keelson";
import { milliseconds, type Fact } from "../trials/account.ts";
import { get, post } from "./client.ts";
import type { Expectations } from "./expectations.ts";
import { Heartbeat } from "../trials/heartbeat.ts";
import type { Press } from "../press.ts";
import { besideHurried, PacedReaders, type Reading, type ReadMeanwhile } from "./readers.ts";
import { canShare, RUNAWAY_MEMORY_BYTES, runawayNames, runaways, SHARING } from "../trials/runaways.ts";
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
/** How long pages are read without runaways, to compare with, ms: about as long as with those that take turns. */
const ALONE_MS = 2000;
/** How long a plugin may be in quarantine, ms. */
const PATIENCE_MS = 10_000;
/** Runaways that share it. One after the other they would hold it for 1600 ms. */
const SHARED: Bound = { wanted: 20, failure: 500 };
/** Own time that it takes to see how crowded the machine is, ms. */
const CROWDING_MS = 30;

interface Told {
  readonly title: string;
  readonly kept: boolean;
  readonly facts: readonly Fact[];
}

/** Plugins that never end by themselves, let loose while readers go on and a heart beats in the same thread. */
export async function showRunaways(press: Press, expect: Expectations, stream: RequestStream): Promise<void> {
  const { url } = press;
  const heart = new Heartbeat();
  try {
    for (const name of runawayNames) await showOne(url, expect, stream, name);
    await showCrowd(url, expect);
  } finally {
    await heart.stop();
  }
  within(expect, "the heartbeat's largest gap in all that time", heart.largestGapMs, crowded(EXCLUSIVE));
  await showInFlight(press, expect, stream);
  await showInFlightHurried(press, expect);
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

/** The slowest other page beside runaways by the dozen, for readers as a server has them and for such as leave the thread no rest. */
async function showInFlight(press: Press, expect: Expectations, stream: RequestStream): Promise<void> {
  const { url, mark, kernel } = press;
  await stream.without(async () => {
    const { readers, alone } = await PacedReaders.open(url, mark, ALONE_MS);
    await using _readers = readers;
    const slowest = `… the slowest other page meanwhile, of ${readers.pagesPerSecond} a second asked for from another process (without runaways ${milliseconds(alone.slowestMs)})`;
    // Not the plugin of the crowd, which is in quarantine.
    const exclusive = await besideHeart(() => readers.during(() => manyAtOnce(url, "stubborn")));
    expectAllEnded(expect, exclusive);
    within(expect, slowest, exclusive.reading.slowestMs, beside(alone, EXCLUSIVE));
    within(expect, "… the heartbeat's largest gap meanwhile", exclusive.largestGapMs, crowded(EXCLUSIVE));
    if (!canShare(kernel)) return;
    const shared = await besideHeart(() => readers.during(() => letLoose(url, "turns")));
    expectTurnsTaken(expect, shared);
    const half = `half of them within ${milliseconds(shared.reading.medianMs)}, without runaways ${milliseconds(alone.medianMs)}`;
    within(expect, `${slowest}, ${half}`, shared.reading.slowestMs, beside(alone, SHARED));
    within(expect, "… the heartbeat's largest gap meanwhile", shared.largestGapMs, crowded(SHARED));
  });
}

/** The same with as many requests as the thread can take, in this very process, with nothing wanted. */
async function showInFlightHurried({ url, kernel }: Press, expect: Expectations): Promise<void> {
  const { reading: alone } = await besideHurried(url, () => wait(ALONE_MS));
  const slowest = `… the slowest other page beside six readers in Press's own thread, two of them without a pause (without runaways ${milliseconds(alone.slowestMs)})`;
  const tell = ({ reading: { slowestMs } }: ReadMeanwhile<unknown>, bound: Bound): void => {
    const { failure } = beside(alone, bound);
    expect.that(slowest, slowestMs <= failure, `${milliseconds(slowestMs)}, a failure beyond ${failure}`);
  };
  // The one before is in quarantine by now.
  const exclusive = await besideHurried(url, () => manyAtOnce(url, "hungry"));
  expectAllEnded(expect, exclusive);
  tell(exclusive, EXCLUSIVE);
  if (!canShare(kernel)) return;
  await outOfQuarantine(kernel, SHARING);
  const shared = await besideHurried(url, () => letLoose(url, "turns"));
  expectTurnsTaken(expect, shared);
  tell(shared, SHARED);
}

/** Where pages are slow without any runaway, a failure begins at four times what the slowest of those took: what is judged is the runaways. */
function beside(alone: Reading, { wanted, failure }: Bound): Bound {
  return { wanted, failure: Math.max(failure, Math.round(4 * alone.slowestMs)) };
}

/** Does `work` while a heart beats; tells its largest gap with what came of it. */
async function besideHeart<T extends object>(
  work: () => Promise<T>,
): Promise<T & { readonly largestGapMs: number }> {
  const heart = new Heartbeat();
  try {
    const value = await work();
    await heart.stop();
    return { ...value, largestGapMs: heart.largestGapMs };
  } catch (error) {
    await heart.stop();
    throw error;
  }
}

function manyAtOnce(url: string, name: LooseName): Promise<readonly Told[]> {
  return Promise.all(Array.from({ length: IN_FLIGHT }, () => letLoose(url, name)));
}

/** Waits until a plugin has shown that it behaves. */
async function outOfQuarantine(kernel: Kernel, id: string): Promise<void> {
  const by = performance.now() + PATIENCE_MS;
  while (performance.now() < by) {
    const well = await kernel.invoke(id, "ping").then(
      () => true,
      () => false,
    );
    if (well) return;
    await wait(50);
  }
}

function expectAllEnded(expect: Expectations, { value, reading }: ReadMeanwhile<readonly Told[]>): void {
  expect.that(
    `${IN_FLIGHT} requests for runaways at once: each is stopped or refused, and every other page is whole`,
    value.every(({ kept }) => kept) && reading.damaged === 0,
    `${reading.pages} pages`,
  );
}

function expectTurnsTaken(expect: Expectations, { value, reading }: ReadMeanwhile<Told>): void {
  const { title, kept, facts } = value;
  expect.that(
    `${title}, and every other page is whole`,
    kept && reading.damaged === 0,
    [`${reading.pages} pages`, ...facts.map((fact) => `${fact.name}: ${fact.value}`)].join("; "),
  );
}

async function showTerminate(url: string, expect: Expectations): Promise<void> {
  const { kept, title, facts } = await letLoose(url, "terminate");
  const fact = factsOf(facts);
  const detail = ["terminate()", "before", "after", "SIGKILL"].map((name) => `${name}: ${fact(name)}`);
  expect.that(`worker.terminate(), measured in a child that is killed: ${title}`, kept, detail.join("; "));
}

/** How much longer than its own time this thread takes at this moment, since others have the core as well: 1 when nobody has, 5 at most. */
function crowding(): number {
  const [begun, before] = [performance.now(), process.cpuUsage()];
  const ownMs = ({ user, system } = process.cpuUsage(before)): number => (user + system) / 1000;
  while (ownMs() < CROWDING_MS);
  return Math.min(5, Math.max(1, (performance.now() - begun) / ownMs()));
}

/** Where the heart's gaps end in a failure: later where its thread has only a part of a core. */
function crowded({ wanted, failure }: Bound): Bound {
  return { wanted, failure: Math.round(failure * crowding()) };
}

/** Fails only far beyond what is wanted, since the machine may do other things as well; prints all three figures. */
function within(expect: Expectations, what: string, ms: number, { wanted, failure }: Bound): void {
  const figures = `${Math.round(ms)} ms of ${wanted} wanted, a failure beyond ${failure}`;
  expect.that(what, ms <= failure, figures);
}

async function letLoose(url: string, name: LooseName): Promise<Told> {
  const { body } = await post(url, `/try/${name}`, { accept: "application/json" });
  return JSON.parse(body) as Told;
}

function factsOf(facts: readonly Fact[]): (name: string) => string {
  return (name) => String(facts.find((fact) => fact.name === name)?.value ?? "");
}
