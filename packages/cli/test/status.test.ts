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

test("the table tells how often a module was started again, and that nobody will any more", () => {
  const supervisor = { state: "waiting", restarts: 3, gaveUp: false, nextRestartInMs: undefined };
  const rows = [supervisor, { ...supervisor, gaveUp: true }].map(
    (one) => formatStatus([{ ...running, supervisor: one as never }]).split("\n")[1],
  );
  expect(rows[0]).toMatch(/running +1 +0 +3$/);
  expect(rows[1]).toMatch(/running +1 +0 +3 \(gave up\)$/);
});

test.each([[undefined], [{}], [[undefined]], [[{ id: "page" }]], [Array.from({ length: 1 })]])(
  "a table of %j is INVALID_OPTIONS",
  (modules) => {
    expect(() => formatStatus(modules as never)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS" }) as Error,
    );
  },
);

test("what is no event of the kernel's own is no line, and one without data is its topic", () => {
  const envelope = { id: "1", seq: 1, source: "kernel", correlationId: undefined, timestamp: 0 };
  expect(formatEvent({ ...envelope, topic: "kernel.closed", data: undefined })).toBe(
    "00:00:00.000 kernel.closed",
  );
  expect(formatEvent({ ...envelope, topic: "kernel.closed", data: { ids: ["a", "b"], of: { n: 1 } } })).toBe(
    '00:00:00.000 kernel.closed ids=2 of={"n":1}',
  );
  expect(formatEvent({ ...envelope, source: "page", topic: "kernel.closed", data: {} })).toBeUndefined();
  expect(formatEvent(undefined as never)).toBeUndefined();
});

test("a quarantine stands out among the events", () => {
  const envelope = { id: "1", seq: 1, source: "kernel", correlationId: undefined, timestamp: 0 };
  const event = { ...envelope, topic: "module.quarantined", data: { id: "page", lasts_ms: 1000 } };
  expect(formatEvent(event, { color: true })).toContain("\u001B[31mmodule.quarantined");
});
