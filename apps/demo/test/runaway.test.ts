import { beforeAll, describe, expect, test } from "vitest";
import type { Fact } from "../src/trials/account.ts";
import { get, post } from "../src/once/client.ts";
import { ensureBuilt } from "../src/plugins.ts";
import { runawayNames } from "../src/trials/runaways.ts";
import { currentRuntime } from "../src/runtime.ts";
import { scene } from "./support.ts";

beforeAll(ensureBuilt, 120_000);

interface Told {
  readonly title: string;
  readonly kept: boolean;
  readonly facts: readonly Fact[];
}

async function letLoose(
  url: string,
  name: string,
): Promise<Told & { readonly fact: (name: string) => string }> {
  const { status, body } = await post(url, `/try/${name}`, { accept: "application/json" });
  expect(status).toBe(200);
  const told = JSON.parse(body) as Told;
  const fact = (wanted: string): string => String(told.facts.find((one) => one.name === wanted)?.value ?? "");
  return { ...told, fact };
}

describe("a runaway", () => {
  test.each([
    ["endless", "DEADLINE_EXCEEDED"],
    ["stubborn", "DEADLINE_EXCEEDED"],
    ["hungry", "DEADLINE_EXCEEDED"],
    ["deep", "STACK_EXHAUSTED"],
  ])("%s is stopped with %s, tells what it used, and answers the next call", async (name, code) => {
    await using s = await scene();
    const { kept, fact } = await letLoose(s.url, name);
    expect(kept).toBe(true);
    expect(fact("error")).toMatch(new RegExp(`^${code}: `));
    expect(fact("fuel")).toMatch(/^[\d,]{3,} units$/);
    expect(fact("running time")).toMatch(/^[\d.]+ ms$/);
    expect(fact("memory at its peak")).toMatch(name === "hungry" ? /^1[0-6]\.\d MiB$/ : /^it has none$/);
    expect(fact("a good call afterwards")).toMatch(/^42, in /);
    expect(fact("a page made meanwhile")).toMatch(/^whole, /);
    expect(fact("heartbeat")).toMatch(/^\d+ beats?, the largest gap [\d.]+ ms$/);
    expect(s.press.counts).toMatchObject({ failed: 0, restarts: 0 });
  });

  test("costs no other request anything but time", async () => {
    await using s = await scene();
    const pages = Array.from({ length: 20 }, () => get(s.url, "/pages/README.md"));
    const told = await Promise.all(runawayNames.map((name) => letLoose(s.url, name)));
    const answers = await Promise.all(pages);
    expect(told.map(({ kept }) => kept)).toEqual(runawayNames.map(() => true));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(answers.filter(({ headers }) => headers.has("press-skipped"))).toEqual([]);
  });

  test("has a page that tells of it without a script", async () => {
    await using s = await scene();
    const { status, headers, body } = await post(s.url, "/try/hungry");
    expect(status).toBe(200);
    expect(headers.get("content-security-policy")).not.toContain("script-src");
    expect(body).toMatch(/memory at its peak<\/dt><dd>1[0-6]\.\d MiB</);
    expect(body).toContain('action="/try/crowd"');
  });
});

test("of 100 runaways at once three are stopped, and the others are refused before they begin", async () => {
  await using s = await scene();
  const { kept, fact } = await letLoose(s.url, "crowd");
  expect(kept).toBe(true);
  expect(fact("DEADLINE_EXCEEDED")).toBe("3 times");
  expect(fact("MODULE_QUARANTINED")).toBe("97 times");
  expect(fact("a page made meanwhile")).toMatch(/^whole, /);
  const again = await letLoose(s.url, "endless");
  expect(again).toMatchObject({ kept: true, title: "It was refused: it has been stopped too often" });
  expect(again.fact("a good call afterwards")).toBe("refused: MODULE_QUARANTINED");
  // The others are not in quarantine with it.
  expect((await letLoose(s.url, "deep")).fact("a good call afterwards")).toMatch(/^42, /);
});

test("32 runaways take turns: the heart beats on while each is stopped", async ({ skip }) => {
  await using s = await scene();
  const { supports, reasons } = s.press.kernel.platform;
  if (supports["jspi"] !== true) skip(`guests cannot be suspended: ${reasons["jspi"]}`);
  const { kept, fact } = await letLoose(s.url, "turns");
  expect(kept).toBe(true);
  const beats = Number(/^(\d+) beats/.exec(fact("heartbeat"))?.[1]);
  // 1.6 s of running time in all; exclusive, there would be one beat.
  expect(beats).toBeGreaterThan(20);
  expect(fact("a page made meanwhile")).toMatch(/^whole, /);
});

test("what worker.terminate() does here is measured, and the process that measured it is gone", async () => {
  await using s = await scene();
  const { kept, title, fact } = await letLoose(s.url, "terminate");
  expect(kept).toBe(true);
  expect(fact("before")).toMatch(/^the busiest thread used [\d.]+ of a core$/);
  expect(fact("SIGKILL")).toMatch(/^the process was gone after [\d.]+ ms$/);
  // If an engine learns to end such a thread, the words on the page change with it, and this test tells.
  const burns = currentRuntime() !== "node";
  expect(title).toBe(
    burns ? "terminate() left the thread burning" : "terminate() ended the thread, this time",
  );
}, 30_000);

describe("/runaway", () => {
  test("has a heartbeat whose script is Press's own, and buttons that work without it", async () => {
    await using s = await scene();
    const { headers, body } = await get(s.url, "/runaway");
    expect(headers.get("content-security-policy")).toMatch(/script-src 'self'; connect-src 'self'/);
    expect(body).toContain('<script type="module" src="/runaway.js"></script>');
    for (const name of [...runawayNames, "crowd", "turns", "terminate"])
      expect(body).toContain(`action="/try/${name}"`);
    const script = await get(s.url, "/runaway.js");
    expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    for (const [, id] of script.body.matchAll(/element\("([^"]+)"\)/g)) expect(body).toContain(`id="${id}"`);
    expect((await get(s.url, "/heartbeat")).status).toBe(200);
  });
});
