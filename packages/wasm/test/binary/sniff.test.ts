import { describe, expect, test } from "vitest";
import { failure } from "../support/errors.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const text = (content: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(content);
const VALID = wat(`(module (func (export "f") (result i32) (i32.const 1)))`);

describe("bytes that are no core module", () => {
  test.each([
    ["empty", new Uint8Array(0)],
    ["html", text("<!DOCTYPE html><title>404</title>")],
    ["html", text("\uFEFF \n<html>")],
    ["html", text("<?xml version='1.0'?>")],
    ["json", text('{"apiVersion":"keelson/v1"}')],
    ["json", text("[1,2]")],
    ["wat", text("(module (func))")],
    ["wat", text(";; a comment\n(module)")],
    ["git-lfs", text("version https://git-lfs.github.com/spec/v1\noid sha256:0")],
    ["text", text("export const x = 1;")],
    ["gzip", Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0)],
    ["zip", Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0)],
    ["elf", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0, 0, 0, 0)],
    ["unknown", Uint8Array.of(0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0)],
    ["truncated", VALID.slice(0, 3)],
    ["truncated", VALID.slice(0, 7)],
    ["version", Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0)],
  ])("that look like %s are INVALID_WASM and say so", async (looksLike, bytes) => {
    const error = await failure("INVALID_WASM", () => open(bytes));
    expect(error.details?.["looksLike"]).toBe(looksLike);
    expect(error.hint).toBeDefined();
  });

  test("a component is UNSUPPORTED_WASM", async () => {
    const component = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);
    const error = await failure("UNSUPPORTED_WASM", () => open(component));
    expect(error.details?.["looksLike"]).toBe("component");
  });

  test("a file that was cut short inside a section names the place", async () => {
    const error = await failure("INVALID_WASM", () => open(VALID.slice(0, VALID.length - 2)));
    expect(error.details).toMatchObject({ bytes: VALID.length - 2 });
    expect(error.details?.["offset"]).toBeGreaterThan(8);
  });
});
