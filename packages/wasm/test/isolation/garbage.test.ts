import {
  isKeelsonError,
  KeelsonError,
  type Bytes,
  type Call,
  type WorkerExit,
  type Workers,
} from "@keelson/core";
import { createFakeProcesses, createTestPlatform, type TestPlatform } from "@keelson/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { shapeOf, type ModuleShape } from "../../src/abi/profile.ts";
import { readOutline } from "../../src/binary/outline.ts";
import { ChildLine } from "../../src/isolation/child-line.ts";
import { Crew } from "../../src/isolation/crew.ts";
import { HEAD_BYTES, sealFrame } from "../../src/isolation/frames.ts";
import { HostCalls } from "../../src/isolation/host-calls.ts";
import { writeHostCall } from "../../src/isolation/host-messages.ts";
import type { Line } from "../../src/isolation/line.ts";
import {
  Ask,
  kindOf,
  Tell,
  writeAnswer,
  writeError,
  writeKind,
  writeLog,
  writeMade,
  type Answer,
} from "../../src/isolation/messages.ts";
import { ThreadLine } from "../../src/isolation/thread-line.ts";
import { failure } from "../support/errors.ts";
import { wat } from "../support/wat.ts";

const CODE = wat(`(module (import "host" "hear" (func (param i32) (result i32))))`);
const shape: ModuleShape = shapeOf(new WebAssembly.Module(CODE), readOutline(CODE), new Set());

/** One end of a line whose other end is this test. */
interface FarEnd {
  readonly line: Line;
  /** Says a part of a message and then nothing more: its output is closed, or it dies. */
  close(dies: boolean, part: Bytes): void;
  /** Says one message, whose bytes begin with room for its head, cut into pieces where there are pieces. */
  say(message: Bytes, cuts: readonly number[]): void;
}

const ends: Record<"process" | "worker", (platform: TestPlatform) => Promise<FarEnd>> = {
  async process({ clock }) {
    const processes = createFakeProcesses();
    await processes.spawn("guest", [], {});
    const child = processes.last;
    // What it is sent is nothing to it.
    Object.assign(child, { write: () => undefined });
    const line = new ChildLine(child, {
      id: "guest",
      clock,
      maxProcessBytes: 2 ** 30,
      maxMessageBytes: 10_000,
      log: () => undefined,
    });
    return {
      line,
      close(dies, part) {
        if (part.length > 0) child.say(part);
        if (dies) child.exit({ signal: "SIGKILL" });
        else child.stdout.end();
      },
      say(message, cuts) {
        const frame = sealFrame(message).slice();
        let from = 0;
        for (const cut of cuts.map((one) => one % frame.length).toSorted((a, b) => a - b)) {
          if (cut > from) child.say(frame.slice(from, cut));
          from = Math.max(from, cut);
        }
        child.say(frame.slice(from));
      },
    };
  },
  worker({ clock }) {
    let receive: (message: unknown) => void = () => undefined;
    const exit = Promise.withResolvers<WorkerExit>();
    const workers: Workers = {
      start(_, given) {
        receive = given;
        return {
          exited: exit.promise,
          post: () => undefined,
          terminate: async () => exit.resolve({ error: undefined }),
        };
      },
    };
    const line = new ThreadLine(workers, {} as never, { id: "guest", clock, log: () => undefined });
    const close = (): void => exit.resolve({ error: new Error("it died") });
    return Promise.resolve({ line, close, say: (message) => receive(message) });
  },
};

const amount = fc.oneof(
  { arbitrary: fc.nat(), weight: 8 },
  fc.double(),
  fc.constantFrom(Number.MAX_VALUE, 2 ** 53, -1, NaN),
);

/** A message as one of ours would be, or nearly. */
const said = (head: number): fc.Arbitrary<Bytes> => {
  const standing = fc
    .record({ memoryBytes: amount, spent: fc.tuple(amount, amount) })
    .map(({ memoryBytes, spent }) => ({ memoryBytes, spent: Float64Array.from(spent) }));
  const usage = fc.option(
    fc.record({ fuel: amount, fuelAtMost: amount, cpuMs: amount, memoryPeakBytes: amount }),
    { nil: undefined },
  );
  const value = fc.jsonValue() as fc.Arbitrary<never>;
  const whole: fc.Arbitrary<Bytes> = fc.oneof(
    { arbitrary: standing.map((one) => writeMade(one, head)), weight: 3 },
    {
      arbitrary: fc.tuple(standing, usage, value).map((all) => writeAnswer(...all, head)),
      weight: 3,
    },
    fc
      .tuple(standing, usage, fc.boolean(), fc.constantFrom("ABORTED", "WASM_TRAP", "no code"), fc.boolean())
      .map(([one, used, dead, code, threw]) =>
        writeError(one, used, dead, new KeelsonError(code as never, "it failed"), head, threw),
      ),
    fc
      .tuple(fc.constantFrom("info", "loud"), fc.string())
      .map(([level, message]) => writeLog({ level: level as never, message, fields: undefined }, head)),
    fc
      .tuple(fc.nat({ max: 2 }), fc.array(fc.oneof(fc.integer(), fc.bigInt(), fc.string()), { maxLength: 2 }))
      .map(([index, args]) => writeHostCall(index, args, head)),
    { arbitrary: fc.integer().map((one) => writeHostCall(0, [one], head)), weight: 3 },
    fc.nat({ max: 255 }).map((kind) => writeKind(kind, head)),
    fc.constantFrom(Tell.alive, Tell.more).map((kind) => writeKind(kind, head)),
  );
  const broken = fc.tuple(whole, fc.nat(), fc.nat({ max: 255 })).map(([message, at, byte]) => {
    const copy = message.slice();
    copy[head + (at % (copy.length - head))] = byte;
    return copy;
  });
  const cut = fc
    .tuple(whole, fc.nat())
    .map(([message, at]) => message.slice(0, head + 1 + (at % message.length)));
  return fc.oneof({ arbitrary: whole, weight: 6 }, broken, cut);
};

const step = (head: number): fc.Arbitrary<"ask" | { message: Bytes; cuts: number[] }> =>
  fc.oneof(
    { arbitrary: fc.constant("ask" as const), weight: 1 },
    { arbitrary: fc.record({ message: said(head), cuts: fc.array(fc.nat(), { maxLength: 3 }) }), weight: 3 },
  );

describe.each(["process", "worker"] as const)("a line to a guest's %s", (kind) => {
  const head = kind === "process" ? HEAD_BYTES : 0;

  test("ends or goes on, whatever comes over it and when: every question is settled, by an answer of its kind or an error", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step(head), { maxLength: 12 }), fc.boolean(), async (steps, settles) => {
        const platform = createTestPlatform();
        const { clock, log } = platform;
        const { line, say } = await ends[kind](platform);
        const tally = new Float64Array(2);
        const crew = new Crew({ id: "guest", clock, log, tally, start: () => line });
        const heard: unknown[] = [];
        const hear = (value: number): number | Promise<number> => {
          heard.push(value);
          expect(line.failure).toBeUndefined();
          return value;
        };
        const imports = { host: { hear: hear as never } };
        const host = new HostCalls({ id: "guest", log, clock, shape, imports, fresh: settles });
        const settled: Promise<void>[] = [];
        const kinds = new Set<number>();
        let open: "asked" | "opened" | undefined;
        let asking = false;
        const watch = (work: Promise<Answer["kind"]>): void => {
          asking = true;
          settled.push(
            work
              .then(
                (one) => {
                  const told = { made: Tell.made, answer: Tell.answer, error: Tell.error }[one];
                  expect(kinds).toContain(told);
                },
                (error: unknown) => void expect(isKeelsonError(error), String(error)).toBe(true),
              )
              .finally(() => (asking = false)),
          );
        };
        for (const one of steps) {
          if (one !== "ask") {
            kinds.add(kindOf(one.message, head));
            say(one.message, one.cuts);
          } else if (!asking && open === undefined) {
            kinds.clear();
            open = "asked";
            watch(crew.open(host).then(() => ((open = "opened"), "made")));
          } else if (!asking && open === "opened") {
            kinds.clear();
            host.begin({ method: "m" } as Call);
            watch(crew.ask(line, writeKind(Ask.call, head)).then((answer) => answer.kind));
          }
          await clock.advance(0);
        }
        await crew[Symbol.asyncDispose]();
        await line.end(new KeelsonError("ABORTED", "the test is over"));
        await clock.advance(1_000);
        await Promise.all(settled);
        for (const spent of tally) expect(spent).toBeGreaterThanOrEqual(0);
        expect(tally.every(Number.isFinite)).toBe(true);
        expect(heard.every((value) => typeof value === "number")).toBe(true);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 600 },
    );
  });

  test("ends when its guest's side dies, or closes its output, in the midst of any message", async () => {
    const messages = [
      writeMade({ memoryBytes: 1, spent: new Float64Array(2) }, head),
      writeHostCall(0, [1], head),
      writeLog({ level: "info", message: "hm", fields: undefined }, head),
    ];
    for (const whole of messages) {
      if (kind === "process") sealFrame(whole);
      for (let length = 0; length < whole.length; length++) {
        for (const dies of [true, false]) {
          const platform = createTestPlatform();
          const { line, close } = await ends[kind](platform);
          const asked = failure(kind === "process" ? "PROCESS_EXITED" : "WORKER_EXITED", () =>
            line.ask(writeKind(Ask.call, head)),
          );
          await platform.clock.advance(0);
          close(dies, whole.slice(0, length));
          await platform.clock.advance(1_000);
          await asked;
          expect(line.failure).toBeDefined();
          expect(platform.clock.pending).toBe(0);
        }
      }
    }
  });
});

test("what a thread sends that is no message at all ends its line, and is nothing that its host has to catch", async () => {
  for (const message of [null, undefined, 7, "text", {}, [], new ArrayBuffer(8), new Uint8Array(0)]) {
    const platform = createTestPlatform();
    const { clock, log } = platform;
    const { line, say } = await ends.worker(platform);
    const crew = new Crew({ id: "guest", clock, log, tally: undefined, start: () => line });
    const opened = failure("WORKER_EXITED", () => crew.open());
    await clock.advance(0);
    say(message as never, []);
    await opened;
    expect(isKeelsonError(line.failure, "WORKER_EXITED")).toBe(true);
    await crew[Symbol.asyncDispose]();
    // Nor does one that comes when nothing is asked.
    say(message as never, []);
  }
});
