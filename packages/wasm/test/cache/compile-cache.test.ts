import { describe, expect, test } from "vitest";
import { createCompileCache, type BinaryStep } from "../../src/cache/compile-cache.ts";
import { toBase64, verifyIntegrity } from "../../src/cache/digest.ts";
import { failure } from "../support/errors.ts";
import { wat } from "../support/wat.ts";

const A = wat(`(module (func (export "a")))`);
const B = wat(`(module (func (export "b")))`);

/** A step that changes nothing and counts. */
function counting(key: string): BinaryStep & { count: number } {
  const step = {
    key,
    count: 0,
    apply(bytes: Uint8Array<ArrayBuffer>) {
      step.count++;
      return bytes;
    },
  };
  return step;
}

describe("the compile cache", () => {
  test("joins compilations of the same bytes at the same time, and finds them later", async () => {
    const cache = createCompileCache();
    const step = counting("k");
    const all = await Promise.all(Array.from({ length: 20 }, () => cache.compile(A.slice(), "a", [step])));
    expect(new Set(all.map(({ module }) => module)).size).toBe(1);
    expect((await cache.compile(A, "other name", [step])).module).toBe(all[0]?.module);
    expect(step.count).toBe(1);
    expect(cache.size).toBe(1);
  });

  test("keeps apart other bytes and other steps", async () => {
    const cache = createCompileCache();
    await cache.compile(A, "a", [counting("one")]);
    await cache.compile(A, "a", [counting("two")]);
    await cache.compile(B, "b", [counting("one")]);
    await cache.compile(A, "a");
    expect(cache.size).toBe(4);
  });

  test("forgets failures, and the one unused for longest when it is full", async () => {
    const cache = createCompileCache({ maxModules: 2 });
    const broken = A.slice(0, A.length - 1);
    await Promise.all([
      failure("INVALID_WASM", () => cache.compile(broken, "broken")),
      failure("INVALID_WASM", () => cache.compile(broken, "broken")),
    ]);
    expect(cache.size).toBe(0);
    const a = await cache.compile(A, "a");
    await cache.compile(B, "b");
    expect((await cache.compile(A, "a")).module).toBe(a.module);
    await cache.compile(A, "a", [counting("third")]);
    expect(cache.size).toBe(2);
    expect((await cache.compile(A, "a")).module).toBe(a.module);
  });

  test("a step that fails with a KeelsonError passes it on and leaves nothing", async () => {
    const cache = createCompileCache();
    const refuse: BinaryStep = {
      key: "refuse",
      apply: () => {
        throw new RangeError("own fault");
      },
    };
    await failure("INVALID_WASM", () => cache.compile(A, "a", [refuse]));
    expect(cache.size).toBe(0);
  });
});

describe("integrity", () => {
  test("passes the file it names, and refuses any other and any other form", async () => {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", A));
    const integrity = `sha256-${toBase64(digest)}`;
    expect(integrity).toBe(`sha256-${Buffer.from(digest).toString("base64")}`);
    await verifyIntegrity(A, integrity, "a");
    const error = await failure("INVALID_WASM", () => verifyIntegrity(B, integrity, "b"));
    expect(error.details?.["expected"]).toBe(integrity);
    for (const other of [
      "",
      "sha512-abc",
      `sha256-${"A".repeat(44)}`,
      integrity.replace("sha256", "SHA256"),
    ]) {
      await failure("INVALID_OPTIONS", () => verifyIntegrity(A, other, "a"));
    }
  });
});

test("what is no bytes is refused, and keeps no place in a cache", async () => {
  const cache = createCompileCache();
  for (const wrong of [undefined, null, "module", 7, [0, 1], new ArrayBuffer(8)] as never[])
    await failure("INVALID_OPTIONS", () => cache.compile(wrong, "it"));
  expect(cache.size).toBe(0);
});

test("a cache of fewer than no modules, or of no number of them, is refused", async () => {
  for (const options of [{ maxModules: -1 }, { maxModules: 1.5 }, { maxModules: NaN }, { maxBytes: -1 }]) {
    await failure("INVALID_OPTIONS", () => createCompileCache(options));
  }
  expect(createCompileCache({ maxModules: 0, maxBytes: Infinity }).size).toBe(0);
});
