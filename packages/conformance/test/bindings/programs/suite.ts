// What a user's own test file looks like, but for the adapter, which is that of the runtime at hand, and the checks, which are
// few here: one that passes, one that is skipped and, when asked for, one that fails.
import process from "node:process";
import { allChecks, type Check } from "../../../src/index.ts";
import { adapter, runtime } from "../../adapter.ts";

const only = ["pool.max-uses", "random."];
const skipped: Check = {
  id: "example.skipped",
  title: "needs what no platform has",
  requires: ["flux-capacitor"],
  run: () => Promise.reject(new Error("it ran all the same")),
};
const failing: Check = {
  id: "example.failing",
  title: "is never kept",
  run: () => Promise.reject(new Error("on purpose")),
};
const checks = [
  ...allChecks.filter(({ id }) => only.some((part) => id.startsWith(part))),
  skipped,
  ...(process.env["KEELSON_WITH_FAILURE"] === "1" ? [failing] : []),
];

const binding =
  runtime === "deno"
    ? import("../../../src/bindings/deno-test.ts")
    : runtime === "bun"
      ? import("../../../src/bindings/bun-test.ts")
      : import("../../../src/bindings/node-test.ts");
await (await binding).conformance(adapter, { checks });
