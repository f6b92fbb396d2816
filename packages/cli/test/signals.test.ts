import process from "node:process";
import { KeelsonError, type Kernel, type ShutdownReport } from "@keelson/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { shutdownOnSignals } from "../src/signals.ts";

const CLEAN: ShutdownReport = { terminated: ["page"], orphans: [], errors: [] };

/** What is told of a kernel whose shutdown ends when `close` is called. */
function closing(report: ShutdownReport = CLEAN) {
  const given: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<ShutdownReport>();
  const shutdown = (options?: Parameters<Kernel["shutdown"]>[0]): Promise<ShutdownReport> => {
    given.push(options);
    return promise;
  };
  return { kernel: { shutdown } as unknown as Kernel, given, close: () => resolve(report) };
}

const handlers = (): number[] => (["SIGINT", "SIGTERM"] as const).map((name) => process.listenerCount(name));

let before: readonly number[];
let exitCode: typeof process.exitCode;
beforeEach(() => {
  before = handlers();
  exitCode = process.exitCode;
});
afterEach(() => {
  process.exitCode = exitCode ?? 0;
  expect(handlers()).toEqual(before);
  vi.restoreAllMocks();
});

test("a signal runs `before`, shuts down with the time that is given, tells the report, and leaves exit code 0", async () => {
  const { kernel, given, close } = closing();
  const told: unknown[] = [];
  const { done } = shutdownOnSignals(kernel, {
    before: (signal) => void told.push(["before", signal, given.length]),
    onReport: (report, signal) => void told.push(["report", signal, report]),
    onError: (error) => void told.push(error),
    timeoutMs: 7,
  });
  process.emit("SIGTERM");
  close();
  expect(await done).toBe(CLEAN);
  expect(told).toEqual([
    ["before", "SIGTERM", 0],
    ["report", "SIGTERM", CLEAN],
  ]);
  expect(given).toEqual([{ timeoutMs: 7 }]);
  expect(process.exitCode).toBe(0);
});

test("signals behind a SIGTERM change nothing but the first SIGINT, which ends the program with 130", async () => {
  const exit = vi.spyOn(process, "exit").mockImplementation((() => {}) as never);
  const { kernel, given, close } = closing();
  const { done } = shutdownOnSignals(kernel);
  process.emit("SIGTERM");
  process.emit("SIGTERM");
  expect(exit).not.toHaveBeenCalled();
  close();
  await done;
  expect(given).toEqual([{}]);

  const other = closing();
  const { done: ended } = shutdownOnSignals(other.kernel);
  process.emit("SIGTERM");
  process.emit("SIGINT");
  expect(exit.mock.calls).toEqual([[130]]);
  other.close();
  await ended;
});

test.each(["before", "onReport"] as const)(
  "what `%s` throws is told, the shutdown goes on, and the exit code is 1",
  async (which) => {
    const errors: unknown[] = [];
    const printed = vi.spyOn(console, "error").mockImplementation(() => {});
    for (const onError of [(error: unknown): void => void errors.push(error), undefined]) {
      const { kernel, given, close } = closing();
      const failing = {
        [which]: () => {
          throw new TypeError(which);
        },
      };
      const { done } = shutdownOnSignals(kernel, onError === undefined ? failing : { ...failing, onError });
      process.exitCode = 0;
      process.emit("SIGINT");
      close();
      expect(await done).toBe(CLEAN);
      expect(given).toHaveLength(1);
      expect(process.exitCode).toBe(1);
    }
    expect(errors).toEqual([new TypeError(which)]);
    expect(printed.mock.calls).toEqual([[new TypeError(which)]]);
  },
);

test.each([
  ["orphans", { ...CLEAN, orphans: [{ pid: 1, command: "sleep" }] }],
  ["errors", { ...CLEAN, errors: [{ id: "page", error: new KeelsonError("MODULE_FAILED", "no") }] }],
])("a report that names %s leaves exit code 1", async (_, report) => {
  const { kernel, close } = closing(report);
  const { done } = shutdownOnSignals(kernel);
  process.emit("SIGINT");
  close();
  expect(await done).toBe(report);
  expect(process.exitCode).toBe(1);
});

test("disposed, it has no handlers any more; and what is no kernel is refused before it has any", () => {
  const { kernel } = closing();
  const handling = shutdownOnSignals(kernel);
  expect(handlers()).toEqual(before.map((count) => count + 1));
  handling[Symbol.dispose]();
  expect(handlers()).toEqual(before);
  for (const none of [undefined, {}, Promise.resolve(kernel)]) {
    expect(() => shutdownOnSignals(none as never)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS" }) as KeelsonError,
    );
  }
});
