import { createTestPlatform, settle, type TestPlatform } from "@keelson/core/testing";
import { createHash } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { createCompileCache, type BinaryStep, type CompileCache } from "../../src/cache/compile-cache.ts";
import { decodeEntry, encodeEntry } from "../../src/cache/entry.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const ONE = wat(`(module (func (export "n") (result i32) i32.const 1))`);
const FOLDER = "/cache";

/** A step that changes nothing, leaves a note, and counts. */
function counting(key = "k"): BinaryStep & { count: number } {
  const step = {
    key,
    count: 0,
    apply(bytes: Uint8Array<ArrayBuffer>) {
      step.count++;
      return { bytes, note: { name: "a note", offsets: Int32Array.of(5, 3, -7, 2 ** 31 - 1, 0) } };
    },
  };
  return step;
}

let platform: TestPlatform;
const cache = (maxBytes?: number): CompileCache =>
  createCompileCache({ folder: FOLDER, ...(maxBytes === undefined ? {} : { maxBytes }) });
beforeEach(() => {
  platform = createTestPlatform();
});

async function onlyFile(): Promise<URL> {
  const folder = platform.files.resolve(`${FOLDER}/`);
  const names = await platform.files.list(folder);
  expect(names).toHaveLength(1);
  return new URL(names[0] as string, folder);
}

describe("modules kept on disk", () => {
  test("are found by another cache with their notes, and no step runs again", async () => {
    const step = counting();
    const first = cache();
    const made = await first.compile(ONE, "one", [step], platform);
    expect(first.disk).toMatchObject({ misses: 1, written: 1, hits: 0 });
    const second = cache();
    const found = await second.compile(ONE, "one", [step], platform);
    expect(step.count).toBe(1);
    expect(second.disk).toMatchObject({ hits: 1, written: 0 });
    expect([...found.notes]).toEqual([...made.notes]);
    expect(found.outline).toEqual(made.outline);
    expect((new WebAssembly.Instance(found.module).exports["n"] as unknown as () => number)()).toBe(1);
  });

  test("are found with the bytes that a step kept of them", async () => {
    const keep: BinaryStep = { key: "bytes", apply: (bytes) => ({ bytes, note: bytes }) };
    for (let round = 0; round < 2; round++) {
      const { notes } = await cache().compile(ONE, "one", [counting(), keep], platform);
      expect(notes.get("bytes")).toEqual(ONE);
    }
  });

  test("are found in the same folder, whether it is given as a path or as a URL, with a slash behind it or none", async () => {
    const step = counting();
    const url = platform.files.resolve(FOLDER);
    for (const folder of [FOLDER, `${FOLDER}/`, url, new URL(`${url.href}/`)]) {
      await createCompileCache({ folder }).compile(ONE, "one", [step], platform);
    }
    expect(step.count).toBe(1);
    await onlyFile();
  });

  test("are kept apart by the bytes and by every option of the steps", async () => {
    const step = counting("one");
    await cache().compile(ONE, "one", [step], platform);
    await cache().compile(ONE, "one", [counting("two")], platform);
    const other = wat(`(module (func (export "n") (result i32) i32.const 2))`);
    await cache().compile(other, "other", [step], platform);
    expect(step.count).toBe(2);
    expect(await platform.files.list(platform.files.resolve(FOLDER))).toHaveLength(3);
  });

  test("are never trusted when the file was cut off, changed in any byte, or is not the cache's own: it is written anew", async () => {
    await cache().compile(ONE, "one", [counting()], platform);
    const file = await onlyFile();
    const whole = await platform.files.read(file);
    const broken = [
      new Uint8Array(0),
      new TextEncoder().encode(
        "not a module at all, and longer than any header of one could ever be",
      ) as never,
      ...Array.from({ length: whole.length }, (_, length) => whole.slice(0, length)),
      ...Array.from({ length: whole.length }, (_, at) =>
        whole.map((byte, index) => (index === at ? byte ^ 0x41 : byte)),
      ),
      new Uint8Array([...whole, 0]),
    ];
    for (const bytes of broken) {
      await platform.files.write(file, bytes);
      const again = cache();
      const step = counting();
      await again.compile(ONE, "one", [step], platform);
      expect(step.count).toBe(1);
      expect(again.disk).toMatchObject({ hits: 0, ignored: 1, written: 1 });
      expect(await platform.files.read(file)).toEqual(whole);
    }
  });

  test("are not taken for another key, even when the file was renamed", async () => {
    const entry = await encodeEntry("one key", { bytes: ONE, notes: new Map() });
    expect((await decodeEntry("one key", entry))?.bytes).toEqual(ONE);
    expect(await decodeEntry("other key", entry)).toBeUndefined();
  });

  test("take no more than the folder may hold: the oldest go first, and what is too large is not kept", async () => {
    const size = (await encodeEntry("k".repeat(66), { bytes: ONE, notes: new Map() })).length + 120;
    const bounded = cache(size * 4);
    for (let round = 0; round < 12; round++) {
      await platform.clock.advance(1000);
      await bounded.compile(ONE, "one", [counting(`step ${round}`)], platform);
    }
    const left = await platform.files.list(platform.files.resolve(FOLDER));
    expect(left.length).toBeLessThan(5);
    expect(left.length).toBeGreaterThan(0);
    expect(bounded.disk).toMatchObject({ written: 12, evicted: 12 - left.length });
    const last = counting("step 11");
    await cache(size * 4).compile(ONE, "one", [last], platform);
    expect(last.count).toBe(0);
    const tiny = cache(10);
    await tiny.compile(ONE, "one", [counting("tiny")], platform);
    expect(tiny.disk).toMatchObject({ written: 0, failed: 0 });
  });

  test("that are let go are always the ones written first, and no more than have to be", async () => {
    const folder = platform.files.resolve(`${FOLDER}/`);
    const names = async (): Promise<readonly string[]> => platform.files.list(folder);
    await cache().compile(ONE, "one", [counting("step a")], platform);
    const written = [...(await names())];
    const size = (await platform.files.stat(await onlyFile()))?.bytes as number;
    const bounded = cache(size * 4 + 20);
    const left: number[] = [];
    for (const letter of "bcdefghijkl") {
      await platform.clock.advance(1000);
      await bounded.compile(ONE, "one", [counting(`step ${letter}`)], platform);
      const now = await names();
      const added = now.filter((name) => !written.includes(name));
      expect(added).toHaveLength(1);
      written.push(...added);
      expect([...now].sort()).toEqual(written.slice(-now.length).sort());
      left.push(now.length);
    }
    // Nine tenths of the bound are left at most, which is three and a half.
    expect(left).toEqual([2, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4]);
  });

  test("are let go without a look at other files in the folder, and leave no timer behind", async () => {
    platform.files.put(`${FOLDER}/notes.txt`, "x".repeat(10_000));
    const kept = cache(1500);
    for (let number = 0; number < 8; number++)
      await kept.compile(ONE, "one", [counting(`k${number}`)], platform);
    expect(kept.disk?.evicted).toBeGreaterThan(0);
    const names = await platform.files.list(platform.files.resolve(`${FOLDER}/`));
    expect(names).toContain("notes.txt");
    expect(names.length).toBeGreaterThan(1);
    expect(platform.clock.pending).toBe(0);
  });

  test("that a program began to write and never finished are removed, once nobody can be at it any more", async () => {
    await cache().compile(ONE, "one", [counting()], platform);
    const { pathname } = await onlyFile();
    const folder = platform.files.resolve(`${FOLDER}/`);
    const aside = async (): Promise<readonly string[]> =>
      (await platform.files.list(folder)).filter((name) => name.endsWith(".tmp"));
    platform.files.put(`${pathname}.one.tmp`, "cut o");
    platform.files.put(`${FOLDER}/notes.tmp`, "somebody else's");
    await platform.clock.advance(3_600_000);
    platform.files.put(`${pathname}.two.tmp`, "under way");
    expect(await aside()).toHaveLength(3);
    const kept = cache();
    await kept.compile(ONE, "one", [counting("other")], platform);
    expect(await aside()).toEqual([`${pathname.slice(FOLDER.length + 1)}.two.tmp`, "notes.tmp"]);
    expect(kept.disk).toMatchObject({ written: 1, evicted: 0, failed: 0 });
  });

  test("that another process lets go of between a look and the read are not there, which is no failure", async () => {
    await cache().compile(ONE, "one", [counting()], platform);
    const read = async (file: URL): Promise<never> => {
      await platform.files.remove(file);
      return platform.files.read(file) as Promise<never>;
    };
    const kept = cache();
    const step = counting();
    await kept.compile(ONE, "one", [step], { ...platform, files: { ...platform.files, read } });
    expect(step.count).toBe(1);
    expect(kept.disk).toMatchObject({ misses: 1, written: 1, failed: 0 });
  });

  test("that this engine does not accept are made again", async () => {
    const step = counting();
    await cache().compile(ONE, "one", [step], platform);
    const file = await onlyFile();
    const bytes = await platform.files.read(file);
    const key = `${createHash("sha256").update(ONE).digest("hex")} k`;
    const found = await decodeEntry(key, bytes);
    expect(found).toBeDefined();
    const odd = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 99);
    await platform.files.write(
      file,
      await encodeEntry(key, { bytes: odd, notes: found?.notes ?? new Map() }),
    );
    const second = cache();
    const { module } = await second.compile(ONE, "one", [step], platform);
    expect(WebAssembly.Module.exports(module)).toHaveLength(1);
    expect([step.count, second.disk?.written]).toEqual([2, 1]);
  });

  test("are no matter of life and death: files that cannot be read or written only cost the time", async () => {
    const failing = {
      ...platform.files,
      resolve: platform.files.resolve.bind(platform.files),
      stat: async () => {
        throw new Error("no");
      },
      write: async () => {
        throw new Error("no");
      },
    };
    const step = counting();
    const kept = cache();
    await kept.compile(ONE, "one", [step], { ...platform, files: failing as never });
    expect(kept.disk).toMatchObject({ failed: 2, hits: 0, written: 0 });
    expect(step.count).toBe(1);
  });

  test("fail no start on a file system that never answers: two seconds and the module is made, the next ones at once until it answers", async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<undefined>();
    const silent = {
      resolve: platform.files.resolve.bind(platform.files),
      stat: () => (asked.resolve(), answer.promise),
      read: () => new Promise(() => {}),
      write: () => new Promise(() => {}),
    };
    const deaf = { ...platform, files: silent as never };
    const kept = cache();
    let made = 0;
    const make = (key: string): Promise<unknown> =>
      kept.compile(ONE, "one", [counting(key)], deaf).then(() => made++);
    const first = make("first");
    await asked.promise;
    expect(made).toBe(0);
    await platform.clock.advance(2000);
    await first;
    // The write of the first was not even tried, and the second did not wait.
    await make("second");
    expect(kept.disk).toEqual({ hits: 0, misses: 0, ignored: 0, written: 0, evicted: 0, failed: 4 });
    expect(platform.clock.pending).toBe(0);
    answer.resolve(undefined);
    await settle();
    await kept.compile(ONE, "one", [counting("third")], platform);
    expect(kept.disk).toMatchObject({ misses: 1, written: 1, failed: 4 });
  });

  test("need a folder: without one, or without files, nothing is written", async () => {
    expect(createCompileCache().disk).toBeUndefined();
    await cache().compile(ONE, "one", [counting()]);
    expect(await platform.files.stat(platform.files.resolve(FOLDER))).toBeUndefined();
  });
});

test("a module's option `cache: { folder }` keeps it metered, caps and positions and all", async () => {
  const source =
    wat(`(module (memory (export "memory") 1) (func (export "n") (result i32) (loop (result i32) i32.const 1))
    (func (export "trap") unreachable) (func (export "grow") (result i32) (memory.grow (i32.const 9))))`);
  const options = { source, offsets: true, cache: { folder: FOLDER }, limits: { memory: 65_536 * 4 } };
  const positions: unknown[] = [];
  for (let round = 0; round < 2; round++) {
    const { call } = await open(options, platform);
    expect(call("n")).toBe(1);
    expect(call("grow")).toBe(-1);
    try {
      call("trap");
    } catch (error) {
      positions.push((error as { details: { at: unknown } }).details.at);
    }
  }
  expect(await onlyFile()).toBeInstanceOf(URL);
  expect(positions).toHaveLength(2);
  expect(positions[0]).toBeDefined();
  expect(positions[1]).toEqual(positions[0]);
});
