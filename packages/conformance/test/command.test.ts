import { expect, test } from "vitest";
import { runConformance, type Report } from "../src/index.ts";
import { adapter } from "./adapter.ts";
import { broken } from "./broken/index.ts";
import { createSubject } from "../src/index.ts";

test("a line a check, a table, and the counts", async () => {
  const lines: string[] = [];
  const report = await runConformance({ adapter, only: ["pool."], print: (line) => lines.push(line) });
  expect(report.counts).toEqual({ passed: 8, failed: 0, skipped: 0 });
  expect(lines.filter((line) => line.startsWith("ok "))).toHaveLength(8);
  expect(lines.at(-1)).toMatch(/pool\s+8\s+0\s+0/);
});

test("a broken promise is named, with what showed it, and the rest still runs", async () => {
  const lines: string[] = [];
  const breaking = broken["pool.max-uses"];
  if (breaking === undefined) throw new Error("the broken subject is gone");
  const report = await runConformance({
    adapter: breaking(createSubject(adapter)),
    only: ["pool."],
    json: true,
    print: (line) => lines.push(line),
  });
  expect(report.counts).toMatchObject({ failed: 1, passed: 7 });
  const printed = JSON.parse(lines.join("\n")) as Report;
  expect(printed.results.find(({ id }) => id === "pool.max-uses")).toMatchObject({
    status: "failed",
    reason: expect.stringContaining("instances used") as string,
  });
});

test("a check that needs what the platform lacks is skipped with the platform's own reason", async () => {
  const { allChecks, runChecks } = await import("../src/index.ts");
  const [check] = allChecks;
  if (check === undefined) throw new Error("no checks");
  const platform = adapter.platform();
  const lacking = {
    platform: () => ({ ...platform, supports: {}, reasons: { processes: "there are none here" } }),
  };
  const report = await runChecks([{ ...check, requires: ["processes"] }], createSubject(lacking));
  expect(report.results).toMatchObject([{ status: "skipped", reason: "there are none here" }]);
});

test("an unknown check or an unusable adapter is INVALID_OPTIONS with a hint", async () => {
  const print = (): void => {};
  await expect(runConformance({ adapter, only: ["pool.max-use"], print })).rejects.toMatchObject({
    code: "INVALID_OPTIONS",
    hint: expect.stringContaining("pool.max-uses") as string,
  });
  await expect(
    runConformance({ adapter: new URL("./none.ts", import.meta.url), print }),
  ).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  await expect(
    runConformance({ adapter: new URL("./broken/index.ts", import.meta.url), print }),
  ).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
});
