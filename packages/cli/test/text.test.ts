import { KeelsonError } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { formatInspection } from "../src/inspection.ts";
import { formatReport } from "../src/reporter.ts";
import { formatEvent } from "../src/status.ts";
import { errorJson, formatError } from "../src/terminal.ts";
import { bytesText, counted, cut, formatFacts, oneLine, painter, visible } from "../src/text.ts";

const plain = painter(false);

test.each([
  [0, "0 bytes"],
  [1, "1 byte"],
  [1023, "1023 bytes"],
  [1024, "1 KiB"],
  [1536, "1.5 KiB"],
  [2 ** 20 - 1, "1 MiB"],
  [2 ** 20 - 100 * 1024, "924 KiB"],
  [64 * 2 ** 20, "64 MiB"],
  [2 ** 50, "1 PiB"],
  [2 ** 61, "2048 PiB"],
])("%i bytes are %s", (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test("things are counted, facts stand under their names, and colours are the terminal's", () => {
  expect([0, 1, 2].map((count) => counted(count, "loop"))).toEqual(["0 loops", "1 loop", "2 loops"]);
  expect(counted(2, "entry", "entries")).toBe("2 entries");
  const facts = formatFacts(
    [
      ["one", ["a", "b"]],
      ["longer", []],
    ],
    plain,
  );
  expect(facts).toBe("one     a\n        b\nlonger  none");
  const codes = (["red", "green", "yellow", "cyan", "dim", "bold"] as const).map((color) =>
    painter(true)(color, "x"),
  );
  expect(codes).toEqual([31, 32, 33, 36, 2, 1].map((code) => `\u001b[${code}mx\u001b[0m`));
});

test.each([
  ["12345", 5, "12345"],
  ["123456", 5, "1234…"],
  ["漢字漢", 6, "漢字漢"],
  ["漢字漢字", 7, "漢字漢…"],
  ["漢字漢字", 6, "漢字…"],
  ["", 0, ""],
  ["ab", 1, "…"],
])("%j in %i columns is %j", (text, columns, shown) => {
  expect(cut(text, columns)).toBe(shown);
});

test("what steers a terminal is shown, on one line or on several", () => {
  expect(visible("a\u001b[2J\tb\n\u202e")).toBe("a\\u001b[2J b\n\\u202e");
  expect(oneLine("a \n b\n\nc")).toBe("a · b · c");
  for (const code of [0xad, 0x61c, 0x200b, 0x200e, 0x200f, 0x2060, 0x2064, 0x2069, 0xfeff])
    expect(visible(`a${String.fromCharCode(code)}`)).toBe(`a\\u${code.toString(16).padStart(4, "0")}`);
  expect(visible("\u{1f468}\u200d\u{1f469} \u0645\u200c\u0647")).toBe(
    "\u{1f468}\u200d\u{1f469} \u0645\u200c\u0647",
  );
});

describe("an error", () => {
  const cause = new Error("the disk is full");
  const error = new KeelsonError("IO", "It cannot be written", {
    cause,
    hint: "make room",
    details: { size: 7n },
  });

  test("is its code, message and hint for people; its stack and its causes when they are asked for", () => {
    const short = formatError(error, { verbose: false, color: false });
    expect(short.split("\n")).toEqual([
      "IO: It cannot be written",
      "  hint: make room",
      "  cause: the disk is full",
    ]);
    const long = formatError(error, { verbose: true, color: false }).split("\n");
    expect(long.slice(0, 2)).toEqual(short.split("\n").slice(0, 2));
    expect(long.filter((line) => line === "cause: error: the disk is full")).toHaveLength(1);
    expect(long.some((line) => /^ +at |^.*text\.test\.ts/.test(line))).toBe(true);
    const told = new KeelsonError("IO", "It cannot be written: the disk is full", { cause });
    expect(formatError(told, { verbose: false, color: false })).toBe(
      "IO: It cannot be written: the disk is full",
    );
    expect(formatError(undefined, { verbose: true, color: false })).toBe("error: thrown undefined");
    expect(formatError("no", { verbose: false, color: true })).toBe("\u001b[31merror\u001b[0m: no");
  });

  test("has none of the colours that a runtime put into its text, and shows what else steers a terminal", () => {
    const painted = new Error("no \u001b[0m\u001b[36mfile:///a.ts\u001b[0m:\u001b[1;33m1\u001b[m \u001b[2J");
    const wrapped = new KeelsonError("IO", "It cannot be imported", { cause: painted });
    for (const verbose of [false, true]) {
      expect(formatError(painted, { verbose, color: false })).toMatch(
        /^error: no file:\/\/\/a\.ts:1 \\u001b\[2J/,
      );
      const text = formatError(wrapped, { verbose, color: false });
      expect(text).toContain("no file:///a.ts:1 \\u001b[2J");
      expect(text).not.toMatch(/u001b\[[\d;]*m/);
    }
    expect(errorJson(painted)["message"]).toBe("no file:///a.ts:1 \u001b[2J");
    expect(errorJson(new KeelsonError("IO", painted.message, { hint: "x" }))["message"]).toBe(
      "no file:///a.ts:1 \u001b[2J",
    );
  });

  test("is an object for programs, as far as JSON can hold what it carries", () => {
    expect(errorJson(error)).toEqual({
      code: "IO",
      message: "It cannot be written",
      hint: "make room",
      details: { size: "7" },
    });
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    expect(errorJson(new KeelsonError("IO", "no", { details: circle }))).toEqual({
      code: "IO",
      message: "no",
    });
    expect(errorJson(new Error("odd"))).toEqual({ code: "INTERNAL", message: "odd" });
  });
});

test("the report of a shutdown names who lives on and what failed", () => {
  const clean = { terminated: ["a", "b"], orphans: [], errors: [] };
  expect(formatReport(clean)).toBe("shut down: 2 stopped, 0 orphans, 0 errors");
  const error = new KeelsonError("STOP_TIMEOUT" as never, "It did not stop");
  const bad = { terminated: [], orphans: [{ pid: 7, command: "sh -c\nx" }], errors: [{ id: "a", error }] };
  expect(formatReport(bad)).toBe(
    "shut down: 0 stopped, 1 orphan, 1 error\n  alive 7 sh -c · x\n  STOP_TIMEOUT a: It did not stop",
  );
  expect(formatReport(clean, true)).toContain("\u001b[2m0 orphans\u001b[0m");
  expect(formatReport(bad, true)).toContain("\u001b[31m1 orphan\u001b[0m, \u001b[31m1 error\u001b[0m");
});

test.each<[topic: string, data: unknown, line: string | undefined]>([
  [
    "module.started",
    { id: "a", from: "starting", to: "running", generation: 1 },
    "module.started id=a generation=1",
  ],
  ["module.reloaded", { id: "a", from: "1.0.0", to: "2.0.0" }, "module.reloaded id=a from=1.0.0 to=2.0.0"],
  [
    "module.failed",
    { id: "a", error: { code: "IO", message: "no\nmore" } },
    'module.failed id=a error="IO: no"',
  ],
  [
    "module.loaded",
    { id: "a b", none: undefined, list: [1, 2], more: { x: 1 }, nil: null, n: 1 },
    'module.loaded id="a b" list=2 more={"x":1} nil=null n=1',
  ],
  ["supervisor.restarting", { id: "a", attempt: 2 }, "supervisor.restarting id=a attempt=2"],
  ["kernel.stopping", undefined, "kernel.stopping"],
  ["kernel.warning", null, "kernel.warning"],
  ["module.starting", { id: "a" }, undefined],
  ["module.initialized", { id: "a" }, undefined],
  ["supervisor.healthy", { id: "a" }, undefined],
])("the event %s is a line, or none", (topic, data, line) => {
  const envelope = {
    topic,
    data,
    timestamp: Date.UTC(2026, 0, 1, 12, 30, 5, 120),
    source: "kernel",
    sequence: 1,
  };
  expect(formatEvent(envelope as never)).toBe(line === undefined ? undefined : `12:30:05.120 ${line}`);
  expect(formatEvent({ ...envelope, source: "a" } as never)).toBeUndefined();
  const colored = formatEvent(envelope as never, { color: true });
  const code = /failed|warning/.test(topic)
    ? 31
    : ["module.started", "module.reloaded"].includes(topic)
      ? 32
      : undefined;
  if (line !== undefined)
    expect(colored).toContain(code === undefined ? ` ${topic}` : ` \u001b[${code}m${topic}\u001b[0m`);
});

test("what an inspection found is told under its names", () => {
  const wasm = {
    bytes: 2048,
    refused: undefined,
    functions: 1,
    profiles: [
      { name: "raw", chosen: true, missing: [] },
      { name: "oxide", chosen: false, missing: ["alloc", "free"] },
      { name: "gonext", chosen: false, missing: [] },
    ],
    imports: [
      { module: "env", name: "f", kind: "function", type: "() → ()", provided: true },
      { module: "env", name: "g", kind: "global", type: "i32", provided: false },
    ],
    exports: [{ name: "run", kind: "function", type: "() → i32" }],
    memories: [
      { minBytes: 65_536, maxBytes: 131_072, imported: true, shared: true, wide: true },
      { minBytes: 65_536, imported: false, shared: false, wide: false },
    ],
    tables: [
      { element: "funcref", min: 1, max: 2, imported: true },
      { element: "externref", min: 2, imported: false },
    ],
    start: 3,
    proposals: ["SIMD", "threads"],
    metering: { possible: true, report: { originalBytes: 2048, meteredBytes: 3072, loops: 1 } },
  };
  expect(formatInspection("a.wasm", wasm as never, plain).split("\n")).toEqual([
    "a.wasm is a WebAssembly module of 2 KiB with 1 function.",
    "",
    "ABI profile  raw",
    "             nearly oxide: it lacks alloc; free",
    "             gonext would fit too",
    "imports      env.f  () → ()  provided by the profile",
    "             env.g  global, i32  the host must give it",
    "exports      run  () → i32",
    "memory       64 KiB, at most 128 KiB, shared, 64-bit addresses, imported",
    "             64 KiB, no maximum of its own",
    "tables       1 element of funcref, at most 2, imported",
    "             2 elements of externref, no maximum of its own",
    "start        function 3 runs at each instantiation",
    "proposals    SIMD, threads",
    "metering     possible: grows to 3 KiB, ×1.50; 1 loop",
  ]);
  const error = new KeelsonError("UNSUPPORTED_WASM", "It uses what is unknown", { hint: "build it without" });
  const refused = {
    ...wasm,
    refused: "bad\nbody",
    profiles: [{ name: "oxide", chosen: true, missing: ["alloc"] }],
    proposals: [],
    start: undefined,
    metering: { possible: false, error },
  };
  const lines = formatInspection("a.wasm", refused as never, plain).split("\n");
  expect(lines[1]).toBe("This engine refuses it: bad · body");
  expect(lines[3]).toBe("ABI profile  oxide, but it lacks alloc");
  expect(lines.slice(-4)).toEqual([
    "start        none",
    "proposals    none",
    "metering     impossible: UNSUPPORTED_WASM, It uses what is unknown",
    "             hint: build it without",
  ]);
  const none = formatInspection("a.wasm", { ...wasm, profiles: [] } as never, plain);
  expect(none).toContain("ABI profile  none fits\n");
});
