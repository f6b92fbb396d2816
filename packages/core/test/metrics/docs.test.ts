import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createKernel } from "../../src/index.ts";
import { createTestPlatform } from "../../src/testing/index.ts";

const ROOT = new URL("../../../../", import.meta.url);
const NAMED = /(?:counter|gauge|histogram)"?[,(]\s*"(keelson_\w+)"/g;

/** Series that the sources name; those of the bus are made of parts and taken from a kernel's text. */
async function allSeries(): Promise<string[]> {
  const found = new Set<string>();
  for (const folder of ["packages/core/src/", "packages/wasm/src/"]) {
    const sources = new URL(folder, ROOT);
    for (const file of readdirSync(sources, { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".ts")) continue;
      const text = readFileSync(new URL(file.replaceAll("\\", "/"), sources), "utf8");
      for (const [, series = ""] of text.matchAll(NAMED)) found.add(series);
    }
  }
  await using kernel = createKernel({ platform: createTestPlatform() });
  for (const [, name = "", type] of kernel.metrics.text().matchAll(/^# TYPE (\w+) (\w+)$/gm))
    found.add(type === "counter" ? `${name}_total` : name);
  return [...found].sort();
}

test("docs/metrics.md names every series that the packages show, and no other", async () => {
  const page = readFileSync(new URL("docs/metrics.md", ROOT), "utf8");
  const named = new Set([...page.matchAll(/`(keelson_\w+)/g)].map(([, series = ""]) => series));
  expect([...named].sort()).toEqual(await allSeries());
});
