import type { Value } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { assemblyScript } from "../support/assemblyscript.ts";
import { failure } from "../support/errors.ts";
import { open } from "../support/instance.ts";

const PLUGIN = await assemblyScript("example.ts");

describe("a plugin in AssemblyScript with the author-side helper", () => {
  test("takes and gives text, bytes, JSON and nothing", async () => {
    const { call } = await open(PLUGIN);
    expect(call("shout", "straße 𝄞")).toBe("STRASSE 𝄞");
    expect(call("reverse", Uint8Array.of(1, 2, 3))).toEqual(Uint8Array.of(3, 2, 1));
    expect(call("kind", { a: 1 })).toEqual({ bytes: false, json: true, text: false });
    expect(call("kind", "a")).toEqual({ bytes: false, json: false, text: true });
    expect(call("nothing", "a")).toBe(undefined);
  });

  test("fails with its own message, and lives on", async () => {
    const { call, instance } = await open(PLUGIN);
    expect((await failure("GUEST_ERROR", () => call("refuse", "way"))).details?.["message"]).toBe("no way");
    const error = await failure("UNKNOWN_METHOD", () => call("zap"));
    expect(error.hint).toContain("shout, reverse, kind");
    expect(instance.dead).toBe(false);
  });

  test("a failed assertion is a trap that carries its text and place", async () => {
    const { call, instance } = await open(PLUGIN);
    const error = await failure("WASM_TRAP", () => call("assert", "text"));
    expect(error.details?.["kind"]).toBe("panic");
    expect(error.details?.["text"]).toContain("bytes are wanted (");
    expect(instance.dead).toBe(true);
  });

  test("is a filter of texts that the host's hooks call, whatever stands in the text", async () => {
    const { call } = await open(PLUGIN);
    const filter = (value: Value, args: readonly Value[] = []): Value =>
      call("emphasize", { kind: "filter", value, args }) as Value;
    const odd = 'a "b" \\ c\n\t\u0001 , } ] {"value":"no"} ß 𝄞 \ud800';
    expect(filter(odd, ['"value"', { value: 1 }])).toBe(`${odd.toUpperCase().toWellFormed()}!`);
    expect(filter("")).toBe("!");
    expect(call("emphasize", { args: [{ value: "inner" }, "},"], value: "outer" })).toBe("OUTER!");
    expect(call("emphasize", "alone")).toBe("ALONE!");
    for (const none of [7, null, ["a"], { value: "a" }])
      expect((await failure("GUEST_ERROR", () => filter(none))).details?.["message"]).toBe(
        "the value is no text",
      );
    await failure("GUEST_ERROR", () => call("emphasize", { kind: "filter" }));
  });

  test("writes to the host's log", async () => {
    const { call, platform } = await open(PLUGIN);
    call("log", "hello");
    expect(platform.log.records[0]).toMatchObject({ level: "warn", message: "hello" });
  });

  test("keeps its memory steady over many calls", async () => {
    const { call, instance } = await open(PLUGIN);
    const text = "word ".repeat(2000);
    for (let count = 0; count < 200; count++) call("shout", text);
    const before = instance.memoryBytes;
    for (let count = 0; count < 500; count++) call("shout", text);
    expect(instance.memoryBytes).toBe(before);
  });
});
