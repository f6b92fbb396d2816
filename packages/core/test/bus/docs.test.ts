import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { transitions } from "../../src/lifecycle/states.ts";

const KERNEL = new URL("../../src/kernel/", import.meta.url);
const TOPIC = /"(module\.\w+)"|publish\("(\w+\.\w+)"/g;

test("docs/bus.md names every topic that the kernel publishes", () => {
  const page = readFileSync(new URL("../../../../docs/bus.md", import.meta.url), "utf8");
  const sources = readdirSync(KERNEL).map((file) => readFileSync(new URL(file, KERNEL), "utf8"));
  const written = sources.flatMap((text) => [...text.matchAll(TOPIC)].map(([, a, b]) => a ?? b ?? ""));
  expect(written).toContain("module.call_failed");
  // The topics of the states are not written out.
  const states = Object.keys(transitions).map((state) => (state === "running" ? "started" : state));
  const topics = [...written, ...states.map((name) => `module.${name}`)];
  const missing = topics.filter(
    (topic) => !page.includes(`\`${topic}\``) && !page.includes(`\`.${topic.split(".")[1]}\``),
  );
  expect(missing).toEqual([]);
});
