import { describe, expect, test } from "vitest";
import {
  createFakeClock,
  createFakeProcesses,
  createMemoryFiles,
  createSeededRandom,
  createTestPlatform,
} from "../../src/testing/index.ts";
import { rejection } from "../support/errors.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

describe("memory files", () => {
  test("are written, read, listed and removed, folders with all that is in them", async () => {
    let now = 1;
    const files = createMemoryFiles(() => now);
    const at = (path: string): URL => files.resolve(path);
    files.put("b.txt", "bb");
    const own = bytes("aaa");
    now = 2;
    await files.write(at("dir/a"), own);
    await files.write(at("dir/sub/c"), bytes("c"));
    files.put("dir/sub/d", bytes("d"));
    files.put("dirt", "not in it");
    own.fill(0);
    const read = await files.read(at("dir/a"));
    expect(read).toEqual(bytes("aaa"));
    read.fill(0);
    expect(await files.read(at("dir/a"))).toEqual(bytes("aaa"));
    expect(await files.stat(at("b.txt"))).toEqual({ kind: "file", bytes: 2, modified: 1 });
    expect(await files.stat(at("dir/a"))).toEqual({ kind: "file", bytes: 3, modified: 2 });
    expect(await files.stat(at("dir/sub"))).toEqual({ kind: "folder", bytes: 0, modified: 0 });
    expect(await files.stat(at("di"))).toBeUndefined();
    expect(await files.list(at("dir"))).toEqual(["a", "sub"]);
    expect(await files.list(at("/"))).toEqual(["b.txt", "dir", "dirt"]);
    expect(await files.real(at("dir/sub/"))).toEqual(at("dir/sub/"));
    for (const missing of [files.read(at("dir")), files.list(at("b.txt")), files.real(at("no"))])
      expect((await rejection(missing)).code).toBe("NOT_FOUND");
    await files.remove(at("dir"));
    expect(await files.list(at("/"))).toEqual(["b.txt", "dirt"]);
    await files.remove(at("b.txt"));
    expect(await files.stat(at("b.txt"))).toBeUndefined();
  });
});

describe("the test platform", () => {
  test("repeats its chance by the seed, evenly between 0 and 1", () => {
    const [one, same, other] = [1, 1, 2].map((seed) => createSeededRandom(seed));
    const draw = (random = createSeededRandom()): number[] =>
      Array.from({ length: 1000 }, () => random.number());
    const drawn = draw(one);
    expect(draw(same)).toEqual(drawn);
    expect(draw()).toEqual(drawn);
    expect(draw(other)).not.toEqual(drawn);
    const tenths = drawn.map((number) => Math.floor(number * 10));
    for (let tenth = 0; tenth < 10; tenth++)
      expect(tenths.filter((found) => found === tenth).length).toBeGreaterThan(60);
    expect([one?.id(), one?.id(), other?.id()]).toEqual(["id-1-1", "id-1-2", "id-2-1"]);
  });

  test("says what it has", () => {
    const bare = createTestPlatform();
    expect(bare.supports).toEqual({ files: true, processes: false });
    expect(Object.keys(bare.reasons)).toEqual(["processes"]);
    expect("processes" in bare).toBe(false);
    const processes = createFakeProcesses();
    const full = createTestPlatform({ processes });
    expect([full.supports, full.reasons, full.processes]).toEqual([
      { files: true, processes: true },
      {},
      processes,
    ]);
  });

  test("its clock runs what falls due in order of time, then of arrival, and stands where it was told to", async () => {
    const clock = createFakeClock(1000);
    const ran: string[] = [];
    clock.after(5, () => ran.push(`five at ${clock.now()}`));
    clock.after(-3, () => ran.push(`now at ${clock.now()}`));
    clock.after(5, () => {
      ran.push("five too");
      clock.after(1, () => ran.push(`six at ${clock.now()}`));
    });
    clock.after(6, () => ran.push("never"))[Symbol.dispose]();
    clock.after(7, () => ran.push("seven"));
    await clock.advance(6);
    expect(ran).toEqual(["now at 0", "five at 5", "five too", "six at 6"]);
    expect([clock.now(), clock.wall(), clock.pending]).toEqual([6, 1006, 1]);
    expect([await clock.next(), clock.now(), await clock.next()]).toEqual([true, 7, false]);
  });
});

describe("fake processes", () => {
  test("end when they are disposed of, and tell how", async () => {
    const processes = createFakeProcesses();
    expect(() => processes.last).toThrow(RangeError);
    const first = await processes.spawn("a", [], { env: {} });
    await first[Symbol.asyncDispose]();
    expect(await first.exited).toEqual({ signal: "SIGTERM" });
    expect(await first.terminate({})).toEqual({ ended: [], orphans: [] });
    const second = await processes.spawn("b", [], { env: {} });
    expect([first.pid, second.pid]).toEqual([1000, 1001]);
    processes.last.orphans = [{ pid: 1001, command: "b" }];
    expect((await second.terminate({})).orphans).toHaveLength(1);
    processes.last.orphans = [];
    expect(await second.terminate({})).toEqual({ ended: [{ pid: 1001, command: "b" }], orphans: [] });
    expect((await rejection(Promise.resolve(second.write(bytes("x"))))).code).toBe("PROCESS_EXITED");
  });
});
