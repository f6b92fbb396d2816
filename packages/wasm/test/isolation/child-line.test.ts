import { KeelsonError, type Bytes } from "@keelson/core";
import {
  createFakeProcesses,
  createTestPlatform,
  type FakeProcess,
  type TestPlatform,
} from "@keelson/core/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { ChildLine } from "../../src/isolation/child-line.ts";
import { HEAD_BYTES, sealFrame } from "../../src/isolation/frames.ts";
import { readHostAnswer, writeHostCall } from "../../src/isolation/host-messages.ts";
import { Ask, Tell, writeKind, writeLog, type LogMessage } from "../../src/isolation/messages.ts";
import { failure } from "../support/errors.ts";

const MAX_BYTES = 1_000;

let platform: TestPlatform;
let child: FakeProcess;
/** Frames that it was sent. */
let frames: Bytes[];
/** What it says that it holds. */
let bytes: number | undefined;
let line: ChildLine;
let logged: LogMessage[];

beforeEach(async () => {
  platform = createTestPlatform();
  const processes = createFakeProcesses();
  await processes.spawn("guest", [], {});
  child = processes.last;
  frames = [];
  bytes = 100;
  Object.assign(child, {
    write: (frame: Bytes) => void frames.push(frame.slice()),
    memoryBytes: () => bytes,
  });
  logged = [];
  line = new ChildLine(child, {
    id: "guest",
    clock: platform.clock,
    maxProcessBytes: MAX_BYTES,
    maxMessageBytes: 10_000,
    log: (record) => void logged.push(record),
  });
});

const question = (): Promise<Bytes> => line.ask(writeKind(Ask.call, HEAD_BYTES));
const says = async (message: Bytes): Promise<void> => {
  child.say(sealFrame(message));
  await platform.clock.advance(0);
};
const close = async (): Promise<unknown> => line.end(new KeelsonError("ABORTED", "the test is over"));

describe("a line to a child", () => {
  test("answers a call of the host that nobody serves: the guest is to stop, and does not wait for ever", async () => {
    await says(writeHostCall(0, [1], HEAD_BYTES));
    expect(frames).toHaveLength(1);
    const answer = readHostAnswer(frames[0] as Bytes, HEAD_BYTES);
    expect(answer).toEqual({ kind: "over", code: "ABORTED" });
    await close();
  });

  test("passes on what is logged, and takes a sign of life for no answer", async () => {
    const answer = question();
    await says(writeLog({ level: "warn", message: "hm", fields: {} }, HEAD_BYTES));
    await says(writeKind(Tell.alive, HEAD_BYTES));
    expect(logged).toMatchObject([{ level: "warn", message: "hm" }]);
    await says(writeKind(Tell.made, HEAD_BYTES));
    expect((await answer)[HEAD_BYTES]).toBe(Tell.made);
    await close();
  });

  test("kills a child that holds more than it may, while it works; one that just holds as much goes on", async () => {
    const failed = failure("OUT_OF_MEMORY", question);
    bytes = MAX_BYTES;
    await platform.clock.advance(100);
    expect(child.terminations).toEqual([]);
    bytes = MAX_BYTES + 1;
    await platform.clock.advance(25);
    const error = await failed;
    expect(error.details).toEqual({ module: "guest", processBytes: MAX_BYTES + 1, limitBytes: MAX_BYTES });
    expect(child.terminations).toEqual([{ graceMs: 0 }]);
    expect(platform.clock.pending).toBe(0);
    await failure("OUT_OF_MEMORY", question);
  });

  test("looks at the memory once more behind a short call, and then no more until the next", async () => {
    const answer = question();
    await says(writeKind(Tell.made, HEAD_BYTES));
    await answer;
    await platform.clock.advance(60);
    expect(platform.clock.pending).toBe(0);
    const second = failure("OUT_OF_MEMORY", question);
    bytes = MAX_BYTES * 2;
    await platform.clock.advance(25);
    await second;
  });

  test("is fit for another guest while it is idle, whole and not large", async () => {
    expect(line.fit()).toBe(true);
    bytes = MAX_BYTES * 0.6;
    expect(line.fit()).toBe(false);
    bytes = MAX_BYTES * 0.6 - 1;
    expect(line.fit()).toBe(true);
    bytes = undefined;
    expect(line.fit()).toBe(true);
    const failed = failure("ABORTED", question);
    expect(line.fit()).toBe(false);
    await close();
    await failed;
    expect(line.fit()).toBe(false);
  });

  test("tells how its child ended and what it said last, although somebody holds its pipes", async () => {
    const failed = failure("PROCESS_EXITED", question);
    child.complain(`${"x".repeat(5_000)} the end`);
    child.exit({ code: 3 }, true);
    await platform.clock.advance(99);
    expect(line.failure).toBeUndefined();
    await platform.clock.advance(1);
    const error = await failed;
    expect(error.details).toEqual({ module: "guest", code: 3 });
    expect(error.message).toContain("the end");
    expect(error.message.length).toBeLessThan(2_500);
    expect(platform.clock.pending).toBe(0);
  });

  test("tells nothing to a child that has ended", async () => {
    await close();
    line.tell(writeKind(Ask.drop, HEAD_BYTES));
    line.answer(writeKind(Ask.answer, HEAD_BYTES));
    expect(frames).toEqual([]);
    expect(await line.end(new KeelsonError("ABORTED", "again"))).toEqual({ orphans: [] });
    expect(child.terminations).toHaveLength(1);
  });
});
