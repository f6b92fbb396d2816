import { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { discardBody, MAX_BODY_BYTES } from "../src/body.ts";

/** What is read of a body at most before it is refused, bytes and ms. */
const MOST_BYTES = 4 * 2 ** 20;
const MOST_MS = 1_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A request whose body comes when the test says so. */
class FakeRequest extends EventEmitter {
  complete = false;
  paused = false;
  readonly headers: Readonly<Record<string, string>>;

  constructor(headers: Readonly<Record<string, string>>) {
    super();
    this.headers = headers;
  }

  pause(): void {
    this.paused = true;
  }

  get reads(): boolean {
    return this.listenerCount("data") > 0;
  }

  fate(): ReturnType<typeof discardBody> {
    return discardBody(this as unknown as IncomingMessage);
  }
}

const chunked = (): FakeRequest => new FakeRequest({ "transfer-encoding": "chunked" });

test("a request without a body is answered at once", () => {
  for (const headers of [{}, { "content-length": "0" }]) {
    const request = new FakeRequest(headers);
    expect(request.fate()).toBe("read");
    expect([request.reads, vi.getTimerCount()]).toEqual([false, 0]);
  }
});

test("a body that ends in time is read, and nothing is waited for any more", async () => {
  const request = chunked();
  const fate = request.fate();
  request.emit("data", Buffer.alloc(MAX_BODY_BYTES));
  request.complete = true;
  request.emit("end");
  expect(await fate).toBe("read");
  expect([request.reads, vi.getTimerCount()]).toEqual([false, 0]);
});

test("of a body without end no more is read than four mebibytes, however quickly they come", async () => {
  const request = chunked();
  const fate = request.fate();
  request.emit("data", Buffer.alloc(MOST_BYTES));
  expect([request.reads, request.paused]).toEqual([true, false]);
  request.emit("data", Buffer.alloc(1));
  expect(await fate).toBe("too large");
  expect([request.reads, request.paused, vi.getTimerCount()]).toEqual([false, true, 0]);
});

test("a body that does not end is waited for a second, and one that breaks off not at all", async () => {
  const slow = chunked();
  const late = slow.fate();
  slow.emit("data", Buffer.alloc(1));
  await vi.advanceTimersByTimeAsync(MOST_MS - 1);
  expect(slow.paused).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect([await late, slow.paused]).toEqual(["too slow", true]);
  for (const event of ["error", "close"]) {
    const broken = new FakeRequest({ "content-length": "10" });
    const fate = broken.fate();
    broken.emit(event, new Error("ECONNRESET"));
    expect([await fate, vi.getTimerCount()]).toEqual(["too slow", 0]);
  }
});

test("what was announced counts as well, however little of it has come", async () => {
  for (const [length, fate] of [
    [MAX_BODY_BYTES, "too slow"],
    [MAX_BODY_BYTES + 1, "too large"],
  ] as const) {
    const request = new FakeRequest({ "content-length": String(length) });
    const told = request.fate();
    await vi.advanceTimersByTimeAsync(MOST_MS);
    expect(await told).toBe(fate);
  }
});
