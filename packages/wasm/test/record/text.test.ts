import { expect, test } from "vitest";
import { parseRecord, printRecord, recordOf, type CallRecording } from "../../src/index.ts";
import { requireRecord } from "../../src/record/text.ts";

const RECORD: CallRecording = {
  version: 1,
  kind: "wasm",
  module: { id: "guest", sha256: "00", abi: "raw" },
  metering: { mode: "exact", meter: "1", stackBytes: 1, memoryBytes: 2, tableElements: 0, fuel: 4 },
  method: "m",
  payload: [1],
  hostCalls: [
    {
      name: "host.f",
      args: [1, 2n, { $number: "NaN" }],
      results: [3],
      thrown: { code: "", message: "no" },
      panic: { code: "WASM_TRAP", message: "oh" },
      writes: [{ memory: 0, at: 0, bytes: Uint8Array.of(1) }],
      grown: [{ memory: 0, pages: 1 }],
    },
  ],
  outcome: { code: "answered", value: 1, fuel: 0, stoppedAtReturn: 2, memorySha256: "11" },
};

/** A copy of the record whose field at `path` is `value`, or is missing. */
function withField(path: string, value: unknown): unknown {
  const copy = structuredClone(RECORD) as unknown as Record<string, unknown>;
  const keys = path.split(".");
  const last = keys.pop() as string;
  let at = copy;
  for (const key of keys) at = at[key] as Record<string, unknown>;
  if (value === undefined) Reflect.deleteProperty(at, last);
  else at[last] = value;
  return copy;
}

const texts = [null, 1, {}, []];
const counts = [null, -1, 1.5, "1", 2 ** 53];
const objects = [null, "x", 1, [], Uint8Array.of()];
const lists = [null, {}, "x"];

const OPTIONAL = ["outcome.stoppedAtReturn", "hostCalls.0.thrown", "hostCalls.0.panic"];

test.each<[field: string, wrong: readonly unknown[]]>([
  ["kind", ["native", ...texts]],
  ["version", [{ constructor: 1, toString: 1 }, 0, 2, "1"]],
  ["module", objects],
  ["module.id", texts],
  ["module.sha256", texts],
  ["module.abi", texts],
  ["metering", objects],
  ["metering.mode", ["off", ...texts]],
  ["metering.meter", texts],
  ["metering.stackBytes", counts],
  ["metering.memoryBytes", counts],
  ["metering.tableElements", counts],
  ["metering.fuel", counts.slice(1)],
  ["method", texts],
  ["outcome", objects],
  ["outcome.code", texts],
  ["outcome.fuel", counts],
  ["outcome.memorySha256", texts],
  ["outcome.stoppedAtReturn", counts],
  ["hostCalls", lists],
  ["hostCalls.0", objects],
  ["hostCalls.0.name", texts],
  ["hostCalls.0.args", lists],
  ["hostCalls.0.args.1", [null, "1", true, {}, { $number: 1 }, [1]]],
  ["hostCalls.0.results", lists],
  ["hostCalls.0.results.0", [null, "1", true, {}, { $number: 1 }]],
  ["hostCalls.0.thrown", objects],
  ["hostCalls.0.thrown.code", texts],
  ["hostCalls.0.thrown.message", texts],
  ["hostCalls.0.panic", objects],
  ["hostCalls.0.panic.code", texts],
  ["hostCalls.0.panic.message", texts],
  ["hostCalls.0.writes", lists],
  ["hostCalls.0.writes.0", objects],
  ["hostCalls.0.writes.0.memory", counts],
  ["hostCalls.0.writes.0.at", counts],
  ["hostCalls.0.writes.0.bytes", [null, [1], "x"]],
  ["hostCalls.0.grown", lists],
  ["hostCalls.0.grown.0", objects],
  ["hostCalls.0.grown.0.memory", counts],
  ["hostCalls.0.grown.0.pages", counts],
])("a record whose %s is missing or of another form is INVALID_RECORD", (field, wrong) => {
  const isNeeded = !OPTIONAL.includes(field);
  requireRecord(structuredClone(RECORD));
  for (const value of isNeeded ? [undefined, ...wrong] : wrong) {
    // A hole in a list is the list's own matter.
    if (value === undefined && /\d$/.test(field)) continue;
    expect(() => requireRecord(withField(field, value)), JSON.stringify(value)).toThrow(
      expect.objectContaining({ code: "INVALID_RECORD" }),
    );
  }
  if (!isNeeded) requireRecord(withField(field, undefined));
});

test("a record is read from its text, from an answer and from an error's details, and from nowhere else", () => {
  expect(parseRecord(printRecord(RECORD))).toEqual(RECORD);
  requireRecord(withField("metering.fuel", null));
  requireRecord(withField("metering.mode", "deadline"));
  expect(recordOf({ value: 1, record: RECORD })).toBe(RECORD);
  for (const nothing of [undefined, {}, { record: undefined }, new Error("no")])
    expect(recordOf(nothing)).toBeUndefined();
  expect(() => recordOf({ record: { kind: "other" } })).toThrow(
    expect.objectContaining({ code: "INVALID_RECORD" }),
  );
  let thrown: unknown;
  try {
    parseRecord("{");
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: "INVALID_RECORD", cause: expect.any(SyntaxError) });
});
