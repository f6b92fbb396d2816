import { isKeelsonError, type Process } from "@keelson/core";
import { afterEach, describe, expect, it } from "vitest";
import { adapter, bytes, lineReader, shell, textOf } from "../adapter.ts";

const { processes } = await adapter();

let open: Process[] = [];
afterEach(async () => {
  for (const child of open.splice(0)) await child.terminate({ graceMs: 0 });
  open = [];
});
const start = async (command: string, ...args: string[]): Promise<Process> => {
  const child = await processes.spawn(command, args, {});
  open.push(child);
  return child;
};

describe("standard input and output", () => {
  it("answers line by line", async () => {
    const child = await start("cat");
    const next = lineReader(child.stdout);
    for (let i = 0; i < 100; i++) {
      void child.write(bytes(`line ${i}\n`));
      expect(await next()).toBe(`line ${i}`);
    }
  });

  it("keeps the order of what is written in one turn", async () => {
    const child = await start("cat");
    const next = lineReader(child.stdout);
    for (let i = 0; i < 1000; i++) void child.write(bytes(`line ${i}\n`));
    for (let i = 0; i < 1000; i++) expect(await next()).toBe(`line ${i}`);
  });

  it("closes the input after what was queued", async () => {
    const child = await start("cat");
    void child.write(bytes("a"));
    void child.write(bytes("b"));
    child.closeStdin();
    expect(await textOf(child.stdout)).toBe("ab");
    expect(await child.exited).toEqual({ code: 0 });
  });

  it("gives standard error apart", async () => {
    const child = await start("sh", "-c", "echo out; echo err >&2");
    const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    expect([out, err]).toEqual(["out\n", "err\n"]);
  });

  it("keeps output for a reader that comes after the end", async () => {
    const child = await start("sh", "-c", "echo late");
    await child.exited;
    expect(await textOf(child.stdout)).toBe("late\n");
  });

  it("ends the iteration when standard output is closed before the child ends", async () => {
    const child = await start("sh", "-c", "echo one; exec >&-; sleep 1000");
    expect(await textOf(child.stdout)).toBe("one\n");
  });

  it("gives chunks that stay what they were while later ones are read", async () => {
    const child = await start("cat");
    const output = child.stdout[Symbol.asyncIterator]();
    const kept: Uint8Array[] = [];
    let read = 0;
    let written = 0;
    // Small ones and large ones, in turns.
    for (let n = 0; n < 12; n++) {
      const piece = new Uint8Array(n % 3 === 2 ? 60_000 : 10).fill(n);
      written += piece.length;
      void child.write(piece);
      while (read < written) {
        const { value } = await output.next();
        if (value === undefined) throw new Error("ended early");
        kept.push(value);
        read += value.length;
      }
    }
    const whole = Buffer.concat(kept);
    let at = 0;
    for (let n = 0; n < 12; n++) {
      const length = n % 3 === 2 ? 60_000 : 10;
      expect(whole.subarray(at, at + length).every((byte) => byte === n)).toBe(true);
      at += length;
    }
  });

  it("can be iterated once", async () => {
    const child = await start("sh", "-c", "echo x");
    await textOf(child.stdout);
    expect(() => child.stdout[Symbol.asyncIterator]()).toThrow(TypeError);
  });

  it("stops reading when the loop is left, and the child learns it", async () => {
    const child = await start("sh", "-c", "while echo y; do :; done; exit 9");
    for await (const chunk of child.stdout) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      break;
    }
    // A broken pipe ends it: by the signal, or by the failed echo.
    expect(await child.exited).not.toEqual({ code: 0 });
  });
});

describe("write()", () => {
  it("makes the writer wait for a child that never reads, and rejects with PROCESS_EXITED when it dies", async () => {
    const child = await start("sleep", "1000");
    let room: Promise<void> | void = undefined;
    for (let i = 0; i < 64; i++) room = child.write(new Uint8Array(64 * 1024));
    expect(room).toBeInstanceOf(Promise);
    const outcome = Promise.resolve(room).then(
      () => "room",
      (error: unknown) => error,
    );
    await child.terminate({ graceMs: 0 });
    expect(isKeelsonError(await outcome, "PROCESS_EXITED")).toBe(true);
  });

  it("lets the writer go on once there is room", async () => {
    const child = await start("cat");
    const total = 8 * 1024 * 1024;
    const reading = (async () => {
      let read = 0;
      for await (const chunk of child.stdout) read += chunk.byteLength;
      return read;
    })();
    for (let sent = 0; sent < total; sent += 64 * 1024) await child.write(new Uint8Array(64 * 1024));
    child.closeStdin();
    expect(await reading).toBe(total);
  });

  it("rejects with PROCESS_EXITED when the child closed its input, and never throws out of band", async () => {
    const child = await start("sh", "-c", "exec <&-; echo closed; sleep 1000");
    await lineReader(child.stdout)();
    let error: unknown;
    for (let i = 0; i < 50 && error === undefined; i++) {
      await Promise.resolve(child.write(new Uint8Array(256 * 1024 + 1))).catch(
        (thrown: unknown) => (error = thrown),
      );
    }
    expect(isKeelsonError(error, "PROCESS_EXITED")).toBe(true);
    // Not awaited, not caught: must not crash the program.
    void child.write(bytes("x"));
  });

  // A runtime's sink may refuse in several ways, by how much and what kind of text it is given.
  it.each([5, 2_000, 20_000, 200_000].flatMap((length) => [["x", length] as const, ["é", length] as const]))(
    "a text of %s, %i times, for a child that closed its input is refused to its writer alone",
    async (character, length) => {
      const child = await start("sh", "-c", "exec <&-; echo closed; sleep 1000");
      await lineReader(child.stdout)();
      let error: unknown;
      for (let i = 0; i < 50 && error === undefined; i++) {
        await Promise.resolve(child.write(character.repeat(length))).catch(
          (thrown: unknown) => (error = thrown),
        );
        // Sinks of Node tell it later.
        await new Promise(setImmediate);
      }
      expect(isKeelsonError(error, "PROCESS_EXITED")).toBe(true);
    },
  );

  it("rejects with PROCESS_EXITED after the child has ended and after closeStdin()", async () => {
    const ended = await start("true");
    await ended.exited;
    await expect(ended.write(bytes("x"))).rejects.toMatchObject({ code: "PROCESS_EXITED" });
    const closed = await start("cat");
    closed.closeStdin();
    await expect(closed.write(bytes("x"))).rejects.toMatchObject({ code: "PROCESS_EXITED" });
  });
});

describe("a flood", () => {
  it("waits in the pipe also before anybody has begun to read", async () => {
    const unread = await start("sh", "-c", "head -c 20000000 /dev/zero; echo done >&2");
    let taken = false;
    const done = textOf(unread.stderr).then(() => (taken = true));
    // While as much of another is read, the first would have been taken into memory.
    const read = await start("sh", "-c", "head -c 60000000 /dev/zero");
    for await (const chunk of read.stdout) expect(chunk.byteLength).toBeGreaterThan(0);
    expect(taken).toBe(false);
    let total = 0;
    for await (const chunk of unread.stdout) total += chunk.byteLength;
    await done;
    expect(total).toBe(20_000_000);
  });

  it("waits in the pipe until it is read: memory stays bounded", async () => {
    const child = await shell(processes, "head -c 300000000 /dev/zero; echo done >&2");
    open.push(child);
    const before = process.memoryUsage().rss;
    const iterator = child.stdout[Symbol.asyncIterator]();
    let total = (await iterator.next()).value?.byteLength ?? 0;
    // Standard error ends with the flood: as long as nobody reads, it cannot.
    let flooded = false;
    const flood = textOf(child.stderr).then(() => (flooded = true));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(flooded).toBe(false);
    let most = 0;
    for (;;) {
      const { done, value } = await iterator.next();
      if (done) break;
      total += value.byteLength;
      most = Math.max(most, process.memoryUsage().rss);
    }
    await flood;
    expect(total).toBe(300_000_000);
    expect(most - before).toBeLessThan(150_000_000);
  });
});
