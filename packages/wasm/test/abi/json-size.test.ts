import { describe, expect, test } from "vitest";
import { excessOf, MAX_JSON_DEPTH, MAX_JSON_VALUES } from "../../src/abi/json-size.ts";
import { failure } from "../support/errors.ts";
import { answer, keelsonGuest, on } from "../support/guests.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const FROM = 65_536;
const ROOM = 900 * 65_536;

/** A guest whose `x` fills nearly all of its memory with `[` and answers that, as JSON or as its own error. */
const bomb = (status: number, kind: number): Uint8Array<ArrayBuffer> =>
  wat(
    keelsonGuest(
      on(
        "x",
        `(drop (memory.grow (i32.const 910)))
         (memory.fill (i32.const ${FROM}) (i32.const 0x5b) (i32.const ${ROOM}))
         ${answer(status, kind, FROM, ROOM)}`,
      ),
    ),
  );

describe("JSON that a guest answers", () => {
  test("is not read when that would take its host seconds and gigabytes", async () => {
    const { call, instance } = await open({ source: bomb(0, 2), limits: { memory: 64 * 2 ** 20 } });
    const error = await failure("INVALID_PAYLOAD", () => call("x"));
    expect(error.message).toContain("deep");
    expect(instance.dead).toBe(false);
  });

  test("is read when it is long because its texts are", () => {
    const page = '[{,:\\"'.repeat(400_000);
    expect(excessOf(JSON.stringify([{ page }, page]))).toBeUndefined();
    expect(excessOf(`"${page}`)).toBeUndefined();
  });

  test("may hold a million values, nested 500 deep, and no more", () => {
    const list = (length: number): string => JSON.stringify(new Array<number>(length).fill(0));
    expect(excessOf(list(MAX_JSON_VALUES))).toBeUndefined();
    expect(excessOf(list(MAX_JSON_VALUES + 2))).toContain("values");
    expect(excessOf("{},".repeat(MAX_JSON_VALUES))).toContain("values");
    const nested = (depth: number): string =>
      `${"[".repeat(depth)}"${"x".repeat(100_000)}"${"]".repeat(depth)}`;
    expect(excessOf(nested(MAX_JSON_DEPTH))).toBeUndefined();
    expect(excessOf(nested(MAX_JSON_DEPTH + 1))).toContain("deep");
  });
});

test("of an error's text that fills the guest's memory the beginning is kept", async () => {
  const { call } = await open({ source: bomb(1, 3), limits: { memory: 64 * 2 ** 20 } });
  const error = await failure("GUEST_ERROR", () => call("x"));
  expect(error.message.length).toBeLessThan(20_000);
  expect(String(error.details?.["message"]).length).toBeLessThan(20_000);
});

test("of the names of methods that a guest tells, and that messages show, the beginnings are kept", async () => {
  const source = wat(
    keelsonGuest(
      "",
      `(func (export "keelson_methods") (result i32)
        (drop (memory.grow (i32.const 910)))
        (memory.fill (i32.const ${FROM}) (i32.const 0x61) (i32.const ${ROOM}))
        (i32.store16 (i32.const ${FROM}) (i32.const 0x225b))
        (i32.store16 (i32.const ${FROM + ROOM - 2}) (i32.const 0x5d22))
        (call $answer (i32.const 0) (i32.const 2) (i32.const ${FROM}) (i32.const ${ROOM})))`,
    ),
  );
  const { call } = await open({ source, limits: { memory: 64 * 2 ** 20 } });
  const error = await failure("UNKNOWN_METHOD", () => call("x"));
  expect(error.hint).toContain("aaaa");
  expect(error.message.length).toBeLessThan(1_000);
});
