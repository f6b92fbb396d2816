import process from "node:process";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { findLeaks, type Snapshot, takeSnapshot } from "./leaks.ts";
import { currentRuntime } from "./runtime.ts";
import { recordTimers } from "./timers.ts";

// Runs before each test file. A file that runs elsewhere than its script says fails as a whole.
const expected = process.env["KEELSON_EXPECT_RUNTIME"];
if (expected !== undefined && expected !== currentRuntime()) {
  throw new Error(`These tests were to run on ${expected} but run on ${currentRuntime()}.`);
}

// Taken before anything can replace it.
const { setTimeout } = globalThis;
const wait = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

const settleMs = Number(process.env["KEELSON_LEAK_SETTLE_MS"] ?? 10_000);
const timers = recordTimers();
let beforeFile: Snapshot = new Map();
let beforeTest: Snapshot = new Map();

async function refuseLeaks(before: Snapshot, whose: string): Promise<void> {
  const leaks = await findLeaks(before, { timers, settleMs, wait });
  if (leaks.length > 0)
    throw new Error(`${whose} left behind:\n${leaks.map((leak) => `- ${leak}`).join("\n")}`);
}

// Hooks of the setup file come first on the way in and last on the way out, so a file's own clean-up has run.
beforeAll(() => {
  beforeFile = takeSnapshot(timers);
});
beforeEach(() => {
  beforeTest = takeSnapshot(timers);
});
afterEach(() => refuseLeaks(beforeTest, "The test"));
afterAll(() => refuseLeaks(beforeFile, "The file's tests"));
