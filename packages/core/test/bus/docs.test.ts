import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const KERNEL = new URL("../../src/kernel/", import.meta.url);
const TOPIC = /"(module\.\w+)"|publish\("(\w+\.\w+)"/g;

test("docs/bus.md names every topic that the kernel publishes", () => {
  const page = readFileSync(new URL("../../../../docs/bus.md", import.meta.url), "utf8");
  const sources = readdirSync(KERNEL).map((file) => readFileSync(new URL(file, KERNEL), "utf8"));
  const topics = sources.flatMap((text) => [...text.matchAll(TOPIC)].map(([, a, b]) => a ?? b ?? ""));
  expect(topics).toContain("module.started");
  const missing = topics.filter(
    (topic) => !page.includes(`\`${topic}\``) && !page.includes(`\`.${topic.split(".")[1]}\``),
  );
  expect(missing).toEqual([]);
});
