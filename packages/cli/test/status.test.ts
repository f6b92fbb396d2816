import type { ModuleStatus } from "@keelson/core";
import { expect, test } from "vitest";
import { formatEvent, formatStatus } from "../src/status.ts";

const running: ModuleStatus = {
  metadata: { id: "page", name: "page", version: "1.0.0", kind: "wasm" },
  manifest: undefined,
  state: "running",
  generation: 1,
  inFlight: 0,
  supervisor: undefined,
  error: undefined,
  quarantine: undefined,
};
const quarantine = { trialInMs: 984.2, onTrial: false, lastsMs: 1000, failedTrials: 0, refused: 2 };

test("the table shows a module that is refused, and until when", () => {
  const modules = [running, { ...running, quarantine }];
  const [, serving, refused] = formatStatus(modules).split("\n");
  expect(serving).toMatch(/running +1 +0$/);
  expect(refused).toContain("MODULE_QUARANTINED: 2 refused, trial in 1 s");
  expect(formatStatus([{ ...running, quarantine: { ...quarantine, onTrial: true } }])).toContain("on trial");
  const painted = formatStatus(modules, { color: true }).split("\n");
  expect(painted[1]).toContain("\u001B[32mrunning");
  expect(painted[2]).toContain("\u001B[33mrunning");
});

test("a quarantine stands out among the events", () => {
  const envelope = { id: "1", seq: 1, source: "kernel", correlationId: undefined, timestamp: 0 };
  const event = { ...envelope, topic: "module.quarantined", data: { id: "page", lasts_ms: 1000 } };
  expect(formatEvent(event, { color: true })).toContain("\u001B[31mmodule.quarantined");
});
