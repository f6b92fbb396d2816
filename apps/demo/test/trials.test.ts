import { beforeAll, expect, test } from "vitest";
import { get, post } from "../src/once/client.ts";
import { ensureBuilt } from "../src/plugins.ts";
import { RequestStream } from "../src/once/stream.ts";
import { scene } from "./support.ts";

beforeAll(ensureBuilt, 120_000);

const GENERATIONS = /generation<\/dt><dd>(\d+) before, (\d+) after/;

test("a page makes a plugin trap, says so, and the next page is whole", async () => {
  await using s = await scene();
  const { status, headers, body } = await post(s.url, "/try/trap");
  expect(status).toBe(200);
  expect(headers.get("press-skipped")).toBe("typography");
  expect(body).toContain("WASM_TRAP");
  expect(GENERATIONS.exec(body)?.slice(1)).toEqual(["1", "1"]);
  expect(body).toMatch(/instances thrown away after a trap<\/dt><dd>1</);
  expect(body).toMatch(/time to recover<\/dt><dd>[\d.]+ ms/);
  expect((await get(s.url, "/pages/README.md")).headers.has("press-skipped")).toBe(false);
});

test("a page kills the child, tells of the restart, and pages meanwhile wait for it", async () => {
  await using s = await scene();
  const [{ status, body }, ...pages] = await Promise.all([
    post(s.url, "/try/kill"),
    ...Array.from({ length: 10 }, () => get(s.url, "/pages/README.md")),
  ]);
  expect(status).toBe(200);
  expect(GENERATIONS.exec(body)?.slice(1)).toEqual(["1", "2"]);
  expect(body).toMatch(/restarts<\/dt><dd>1</);
  expect(pages.map((page) => page.status)).toEqual(pages.map(() => 200));
  expect(s.press.counts).toMatchObject({ restarts: 1, failed: 0 });
});

test("a broken version is rolled back and a good one takes over, while requests go on", async () => {
  await using s = await scene();
  const readers = new RequestStream(s.url, ["/pages/README.md"], 2);
  const broken = await post(s.url, "/try/replace-broken");
  expect(broken.status).toBe(200);
  expect(broken.body).toContain("RELOAD_FAILED");
  expect(broken.body).toContain("1.0.0 before, 1.0.0 after");
  expect((await get(s.url, "/pages/README.md")).body).toContain("4 words</p>");
  const good = await post(s.url, "/try/replace-good");
  expect(good.body).toContain("1.0.0 before, 2.0.0 after");
  expect((await get(s.url, "/pages/README.md")).body).toContain("1 min read</p>");
  expect((await post(s.url, "/try/replace-good")).body).toContain("2.0.0 before, 1.0.0 after");
  const { sent, ok, degraded, failures } = await readers.stop();
  expect({ ok, degraded, failures }).toEqual({ ok: sent, degraded: 0, failures: [] });
  expect(s.press.counts.rollbacks).toBe(1);
});

test("of 200 concurrent requests, 20 of them to crash pages, no other fails", async () => {
  await using s = await scene();
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const crash = index % 20 === 0 ? "trap" : index % 20 === 10 ? "kill" : undefined;
      const { status, headers, body } =
        crash === undefined ? await get(s.url, "/pages/README.md") : await post(s.url, `/try/${crash}`);
      return { crash, status, skipped: headers.get("press-skipped"), read: body.includes("Read me") };
    }),
  );
  const others = answers.filter(({ crash }) => crash === undefined);
  expect(others).toHaveLength(180);
  expect(others.filter(({ status, read }) => status !== 200 || !read)).toEqual([]);
  // A page goes out without the child's work at most, and the answer names it.
  expect(others.filter(({ skipped }) => skipped !== undefined && skipped !== "highlight")).toEqual([]);
  expect(answers.filter(({ crash, status }) => crash !== undefined && status !== 200)).toEqual([]);
  expect(s.press.counts).toMatchObject({ restarts: 10, failed: 0 });
}, 60_000);
