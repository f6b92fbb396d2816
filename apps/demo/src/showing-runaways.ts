import type { Fact } from "./account.ts";
import { get } from "./client.ts";
import type { Expectations } from "./expectations.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Press } from "./press.ts";
import { RUNAWAY_MEMORY_BYTES, runawayNames, runaways } from "./runaways.ts";
import type { RequestStream } from "./stream.ts";
import type { LooseName } from "./trials.ts";

/** What the heart may wait at most on a machine with nothing else to do, ms. */
const WANTED_MS = 200;
/** On a machine that does other things as well only this many times as much is a failure. */
const PATIENCE = 5;

interface Told {
  readonly title: string;
  readonly kept: boolean;
  readonly facts: readonly Fact[];
}

/** Plugins that never end by themselves, let loose while readers go on and a heart beats in the same thread. */
export async function showRunaways(
  { url }: Press,
  expect: Expectations,
  stream: RequestStream,
): Promise<void> {
  const heart = new Heartbeat();
  try {
    for (const name of runawayNames) await showOne(url, expect, stream, name);
  } finally {
    await heart.stop();
  }
  within(expect, "the heartbeat's largest gap in all that time", heart.largestGapMs, `${heart.beats} beats`);
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

async function showTerminate(url: string, expect: Expectations): Promise<void> {
  const { kept, title, facts } = await letLoose(url, "terminate");
  const fact = factsOf(facts);
  const detail = ["terminate()", "before", "after", "SIGKILL"].map((name) => `${name}: ${fact(name)}`);
  expect.that(`worker.terminate(), measured in a child that is killed: ${title}`, kept, detail.join("; "));
}

/** Fails only beyond a generous multiple of what is wanted, and prints all three figures. */
function within(expect: Expectations, what: string, ms: number, more = ""): void {
  const limit = WANTED_MS * PATIENCE;
  const figures = `${Math.round(ms)} ms of ${WANTED_MS} wanted, a failure beyond ${limit}`;
  expect.that(what, ms <= limit, more === "" ? figures : `${figures}; ${more}`);
}

async function letLoose(url: string, name: LooseName): Promise<Told> {
  const { body } = await get(url, `/try/${name}`, { accept: "application/json" });
  return JSON.parse(body) as Told;
}

function factsOf(facts: readonly Fact[]): (name: string) => string {
  return (name) => String(facts.find((fact) => fact.name === name)?.value ?? "");
}
