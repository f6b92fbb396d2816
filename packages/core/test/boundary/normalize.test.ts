import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KeelsonError } from "../../src/contract/errors.ts";
import { normalizeEventLine } from "../../src/boundary/index.ts";

const strict = {
  event_id: "e1",
  source: "module",
  timestamp_ms: 12,
  event: { kind: "module", module: "m", event_type: "ready", payload: { a: [1] } },
};
const flat = {
  event_id: "e1",
  source: "module",
  timestamp_ms: 12,
  module: "m",
  event_type: "ready",
  payload: { a: [1] },
};
const agent = { event_id: "e1", source: "agent", timestamp_ms: 0, agent_id: "a", event_type: "hello" };

function failure(value: unknown): { code: string; details: unknown } {
  try {
    normalizeEventLine(typeof value === "string" ? value : JSON.stringify(value));
  } catch (error) {
    if (error instanceof KeelsonError) return { code: error.code, details: error.details };
    throw error;
  }
  throw new Error("it was taken for an event");
}

function without(object: object, name: string): object {
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
}

describe("normalizeEventLine", () => {
  test("takes the strict form as it is", () => {
    expect(normalizeEventLine(JSON.stringify(strict))).toEqual(strict);
  });

  test("turns the flat form of a module's event into the strict one", () => {
    expect(normalizeEventLine(JSON.stringify(flat))).toEqual(strict);
  });

  test("takes an agent's event in both forms", () => {
    const { agent_id, event_type, ...head } = agent;
    const nested = { ...head, event: { kind: "agent", agent_id, event_type } };
    expect(normalizeEventLine(JSON.stringify(agent))).toEqual(nested);
    expect(normalizeEventLine(JSON.stringify(nested))).toEqual(nested);
  });

  test("leaves unknown keys out and keeps a payload of null", () => {
    expect(normalizeEventLine(JSON.stringify({ ...flat, payload: null, extra: 1 }))).toEqual({
      ...strict,
      event: { ...strict.event, payload: null },
    });
  });

  test("a line that is not JSON is INVALID_JSON, one that is no object INVALID_SCHEMA", () => {
    expect(failure("hello").code).toBe("INVALID_JSON");
    expect(failure('{"event_id":').code).toBe("INVALID_JSON");
    for (const value of [null, 1, '"x"', [], true]) expect(failure(value).code).toBe("INVALID_SCHEMA");
  });

  test("missing fields are named in the order of the flat form", () => {
    const order = ["event_id", "source", "timestamp_ms", "module", "event_type", "payload"];
    const growing: Record<string, unknown> = { module: "m" };
    for (const name of order) {
      if (name === "module") continue;
      expect(failure(growing)).toEqual({ code: "MISSING_FIELD", details: { field: name } });
      growing[name] = flat[name as keyof typeof flat];
    }
    expect(normalizeEventLine(JSON.stringify(growing))).toEqual(strict);
  });

  test("without a module an agent_id is asked for, then its event_type", () => {
    expect(failure(without(agent, "agent_id")).details).toEqual({ field: "agent_id" });
    expect(failure(without(agent, "event_type")).details).toEqual({ field: "event_type" });
  });

  test.each([
    ["event_id", 1],
    ["source", null],
    ["timestamp_ms", "12"],
    ["timestamp_ms", -1],
    ["timestamp_ms", 1.5],
    ["timestamp_ms", 2 ** 64],
    ["module", null],
    ["event_type", {}],
  ])("%s of %j is INVALID_FIELD_TYPE", (field, value) => {
    expect(failure({ ...flat, [field]: value })).toEqual({ code: "INVALID_FIELD_TYPE", details: { field } });
  });

  test("the first wrong field is told before a later missing one", () => {
    expect(failure({ event_id: 1 })).toEqual({ code: "INVALID_FIELD_TYPE", details: { field: "event_id" } });
  });

  test("a source that is not the kind is SOURCE_MISMATCH in both forms", () => {
    const wrong = { code: "SOURCE_MISMATCH", details: { expected: "module", got: "m" } };
    expect(failure({ ...strict, source: "m" })).toEqual(wrong);
    expect(failure({ ...flat, source: "m" })).toEqual(wrong);
    expect(failure({ ...agent, source: "module" }).details).toEqual({ expected: "agent", got: "module" });
  });

  test("a strict form with a fault is told as what the flat form lacks", () => {
    expect(failure({ ...strict, event: without(strict.event, "payload") })).toEqual({
      code: "MISSING_FIELD",
      details: { field: "agent_id" },
    });
  });

  test.each([
    [{ event_id: 1 }, "INVALID_FIELD_TYPE", "event_id"],
    [{ source: 1 }, "INVALID_FIELD_TYPE", "source"],
    [{ timestamp_ms: -1 }, "INVALID_FIELD_TYPE", "timestamp_ms"],
    [{ event: null }, "MISSING_FIELD", "agent_id"],
    [{ event: { ...strict.event, event_type: 1 } }, "MISSING_FIELD", "agent_id"],
    [{ event: { ...strict.event, module: 1 } }, "MISSING_FIELD", "agent_id"],
    [{ event: { ...strict.event, kind: "other" } }, "MISSING_FIELD", "agent_id"],
    [{ source: "agent", event: { kind: "agent", event_type: "x" } }, "MISSING_FIELD", "agent_id"],
    [
      { source: "agent", event: { kind: "other", agent_id: "a", event_type: "x" } },
      "MISSING_FIELD",
      "agent_id",
    ],
  ])("the strict form with %j is %s of %s", (change, code, field) => {
    expect(failure({ ...strict, ...change })).toEqual({ code, details: { field } });
  });

  test("of a line that is not JSON 200 characters are told, and what is no line is not JSON", () => {
    expect(failure("x".repeat(200)).details).toEqual({ line: "x".repeat(200) });
    expect(failure("x".repeat(201)).details).toEqual({ line: `${"x".repeat(200)}…` });
    expect(() => normalizeEventLine(undefined as never)).toThrow(
      expect.objectContaining({ code: "INVALID_JSON" }),
    );
  });

  test("a line that is told holds nothing that steers a terminal or is not seen, and keeps the joiners of scripts", () => {
    const hidden = "\u001b\u009b\u00ad\u061c\u200b\u200e\u200f\u2028\u2029\u202e\u2060\u2064\u2069\ufeff";
    expect(failure(`<${[...hidden].join("<")}<\u200c\u200d`).details).toEqual({
      line: `${"< ".repeat(hidden.length)}<\u200c\u200d`,
    });
  });

  test("inherited names are no fields", () => {
    expect(
      failure('{"__proto__":{"module":"m"},"event_id":"e","source":"agent","timestamp_ms":1}').details,
    ).toEqual({
      field: "agent_id",
    });
  });

  test("any line gives an event or a KeelsonError, and an event is taken again as it is", () => {
    const keys = [
      "event_id",
      "source",
      "timestamp_ms",
      "module",
      "agent_id",
      "event_type",
      "payload",
      "event",
      "kind",
    ];
    const object = fc.dictionary(
      fc.constantFrom(...keys),
      fc.oneof(fc.constantFrom("module", "agent", 1), fc.jsonValue()),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          object.map((value) => JSON.stringify(value)),
        ),
        (line) => {
          try {
            const event = normalizeEventLine(line);
            expect(normalizeEventLine(JSON.stringify(event))).toEqual(event);
          } catch (error) {
            expect(error).toBeInstanceOf(KeelsonError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
