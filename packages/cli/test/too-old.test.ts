import { readFileSync } from "node:fs";
import process from "node:process";
import { expect, test } from "vitest";
import { OLDEST, tooOld } from "../src/too-old.ts";

test("the oldest runtimes are those of package.json", () => {
  const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    engines: Record<string, string>;
  };
  expect(Object.fromEntries(OLDEST.map(([, key, version]) => [key, `>=${version}`]))).toEqual(engines);
});

test("a runtime that cannot read what Keelson is written in is told of, by its own name", () => {
  expect(tooOld({ node: "20.20.2" })).toMatch(/^Node 20\.20\.2 is too old\n {2}hint: /);
  expect(tooOld({ node: "26.3.0", deno: "2.8.4" })).toMatch(/^Deno 2\.8\.4 /);
  expect(tooOld({ node: "26.3.0", bun: "1.3.12" })).toMatch(/^Bun 1\.3\.12 /);
  expect(tooOld({ node: "9.0.0", deno: "1.99.0" })).toMatch(/^Deno 1\.99\.0 /);
});

test("the runtime at hand, the oldest that will do and later ones are not too old", () => {
  const fine = [
    { node: "24.0.0" },
    { node: "100.0.0" },
    { node: "20.0.0", deno: "2.9.0" },
    { node: "20.0.0", deno: "2.10.0" },
    { node: "20.0.0", bun: "1.4.0-canary.1" },
    { node: "20.0.0", bun: "2.0.0" },
  ];
  for (const versions of [process.versions, ...fine]) expect(tooOld(versions)).toBeUndefined();
});
