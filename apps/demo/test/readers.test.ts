import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { get } from "../src/once/client.ts";
import { KeptPages } from "../src/kept-pages.ts";
import { ensureBuilt } from "../src/plugins.ts";
import { PacedReaders } from "../src/once/readers.ts";
import { RequestStream } from "../src/once/stream.ts";
import { scene } from "./support.ts";

beforeAll(ensureBuilt, 120_000);

describe("readers with a pace of their own", () => {
  test("read on beside what is done, and tell how long it took them and what was not whole", async () => {
    await using s = await scene();
    const { readers, alone } = await PacedReaders.open(s.url, s.press.mark, 200);
    await using _readers = readers;
    expect(alone.pages).toBeGreaterThan(0);
    expect(alone.damaged).toBe(0);
    expect([100, 50, 25, 10]).toContain(readers.pagesPerSecond);
    const served = async (more: number): Promise<void> => {
      const enough = s.press.counts.served + more;
      while (s.press.counts.served < enough) await get(s.url, "/heartbeat");
    };
    const { reading: whole } = await readers.during(() => served(200));
    expect(whole.pages).toBeGreaterThan(0);
    expect(whole.damaged).toBe(0);
    expect(whole.medianMs).toBeGreaterThan(0);
    expect(whole.slowestMs).toBeGreaterThanOrEqual(whole.medianMs);
    await s.press.kernel.stop("typography");
    const { reading: damaged } = await readers.during(() => served(200));
    expect(damaged.pages).toBeGreaterThan(0);
    expect(damaged.damaged).toBe(damaged.pages);
  });
});

test("a steady stream rests while something is done without it, and goes on", async () => {
  await using s = await scene();
  const stream = new RequestStream(s.url, ["/pages/README.md"], 3);
  await stream.without(async () => {
    const { sent } = stream.counts;
    expect(stream.counts.ok).toBe(sent);
    for (let requests = 0; requests < 20; requests++) await get(s.url, "/heartbeat");
    expect(stream.counts.sent).toBe(sent);
  });
  const { sent } = stream.counts;
  while (stream.counts.sent < sent + 3) await get(s.url, "/heartbeat");
  expect((await stream.stop()).failures).toEqual([]);
});

test("a page that is kept is read again when its file is another one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "press-kept-"));
  try {
    // As if all had been written long ago, so that it is kept at once.
    const pages = new KeptPages(() => Date.now() + 60_000);
    const file = join(folder, "page.md");
    await writeFile(file, "# One");
    for (let looks = 0; looks < 2; looks++) {
      expect(await pages.read(file)).toEqual({ kind: "page", markdown: "# One" });
    }
    await writeFile(join(folder, "other.md"), "# Two");
    await rename(join(folder, "other.md"), file);
    expect(await pages.read(file)).toEqual({ kind: "page", markdown: "# Two" });
    await rm(file);
    await expect(pages.read(file)).rejects.toMatchObject({ code: "ENOENT" });
  } finally {
    await rm(folder, { recursive: true });
  }
});
