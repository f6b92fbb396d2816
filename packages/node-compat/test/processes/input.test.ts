import type { Bytes } from "@keelson/core";
import { describe, expect, it } from "vitest";
import { Input, type InputSink } from "../../src/processes/input.ts";
import { bytes } from "../adapter.ts";

/** A sink that writes down what it gets; `hold` makes it full until `release()`. */
function sinkOf(): InputSink & {
  readonly events: string[];
  hold: boolean;
  release(): void;
  fail(error: Error): void;
} {
  let pending: PromiseWithResolvers<void> | undefined;
  const events: string[] = [];
  return {
    events,
    hold: false,
    write(chunk) {
      events.push(typeof chunk === "string" ? `'${chunk}'` : new TextDecoder().decode(chunk));
      if (!this.hold) return undefined;
      pending = Promise.withResolvers();
      return pending.promise;
    },
    end: () => void events.push("end"),
    abort: () => void events.push("abort"),
    release: () => pending?.resolve(),
    fail: (error) => pending?.reject(error),
  };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("Input", () => {
  it("sends the first write of a turn at once and joins the others", async () => {
    const sink = sinkOf();
    const input = new Input(sink, "x");
    for (const text of ["a", "b", "c", "d"]) expect(input.write(bytes(text))).toBeUndefined();
    expect(sink.events).toEqual(["a"]);
    await turn();
    expect(sink.events).toEqual(["a", "bcd"]);
  });

  it("joins all writes of a turn once a turn brought several", async () => {
    const sink = sinkOf();
    const input = new Input(sink, "x");
    for (const text of ["a", "b", "c"]) void input.write(bytes(text));
    await turn();
    for (const text of ["d", "e", "f"]) void input.write(bytes(text));
    await turn();
    expect(sink.events).toEqual(["a", "bc", "def"]);
  });

  it("joins text with text and bytes with bytes, in their order", async () => {
    const sink = sinkOf();
    const input = new Input(sink, "x");
    for (const text of ["a", "b", "c", bytes("d"), bytes("e"), "f", "g".repeat(1020), "h"])
      void input.write(text);
    expect(sink.events).toEqual(["'a'", "'bc'", "de", `'f${"g".repeat(1020)}'`]);
    await turn();
    expect(sink.events.slice(4)).toEqual(["'h'"]);
  });

  it("joins all writes of a turn also where each comes with a microtask of its own", async () => {
    const sink = sinkOf();
    const input = new Input(sink, "x");
    void input.write("a");
    void input.write("b");
    await turn();
    for (let n = 0; n < 4; n++) {
      void input.write("c");
      await Promise.resolve();
    }
    await turn();
    expect(sink.events).toEqual(["'a'", "'b'", "'cccc'"]);
  });

  it("joins what comes while the sink is full, and sends large chunks as they are", async () => {
    const sink = sinkOf();
    sink.hold = true;
    const input = new Input(sink, "x");
    void input.write(bytes("a"));
    void input.write(bytes("b"));
    await turn();
    void input.write(bytes("c"));
    const large = new Uint8Array(70_000).fill(0x64);
    void input.write(large);
    expect(sink.events).toEqual(["a"]);
    sink.release();
    await turn();
    expect(sink.events[1]).toBe("bc");
    sink.release();
    await turn();
    expect(sink.events[2]).toHaveLength(70_000);
  });

  it("sends a KiB before the turn ends, behind what was written before it", async () => {
    const sink = sinkOf();
    const input = new Input(sink, "x");
    const block = "k".repeat(1024);
    for (const text of ["a", "b", block, "c", block, "d"]) void input.write(bytes(text));
    expect(sink.events).toEqual(["a", `b${block}`, `c${block}`]);
    await turn();
    expect(sink.events.slice(3)).toEqual(["d"]);
  });

  it("writes nothing to a sink that a KiB has filled, until it takes more, and closes after the rest", async () => {
    const sink = sinkOf();
    const input = new Input(sink, "x");
    const block = "k".repeat(1024);
    void input.write(bytes("a"));
    sink.hold = true;
    for (const text of [block, "b", block]) void input.write(bytes(text));
    await turn();
    expect(sink.events).toEqual(["a", block]);
    input.end();
    sink.hold = false;
    sink.release();
    await turn();
    expect(sink.events.slice(2)).toEqual([`b${block}`, "end"]);
  });

  it("gives a promise above 256 KiB, which resolves when half of it is gone", async () => {
    const sink = sinkOf();
    sink.hold = true;
    const input = new Input(sink, "x");
    const block = (): Bytes => new Uint8Array(64 * 1024);
    for (let i = 0; i < 5; i++) expect(input.write(block())).toBeUndefined();
    const room = input.write(block());
    let open = false;
    void room?.then(() => (open = true));
    sink.release();
    await turn();
    expect(open).toBe(false);
    for (let i = 0; i < 3; i++) {
      sink.release();
      await turn();
    }
    expect(open).toBe(true);
  });

  it("closes after what is queued", async () => {
    const sink = sinkOf();
    sink.hold = true;
    const input = new Input(sink, "x");
    void input.write(bytes("a"));
    void input.write(bytes("b"));
    input.end();
    input.end();
    await turn();
    expect(sink.events).toEqual(["a"]);
    sink.hold = false;
    sink.release();
    await turn();
    expect(sink.events).toEqual(["a", "b", "end"]);
    await expect(input.write(bytes("c"))).rejects.toMatchObject({ code: "PROCESS_EXITED" });
  });

  it("rejects those who wait when the sink fails, and drops what is queued", async () => {
    const sink = sinkOf();
    sink.hold = true;
    const input = new Input(sink, "x");
    void input.write(bytes("a"));
    const room = input.write(new Uint8Array(300_000));
    sink.fail(new Error("EPIPE"));
    await expect(room).rejects.toMatchObject({ code: "PROCESS_EXITED", cause: new Error("EPIPE") });
    await turn();
    expect(sink.events).toEqual(["a", "abort"]);
  });

  it("takes a sink that throws for one that fails, and rejects nothing out of band", async () => {
    const sink: InputSink = {
      write: () => {
        throw new Error("closed");
      },
      end: () => undefined,
      abort: () => undefined,
    };
    const input = new Input(sink, "x");
    void input.write(bytes("a"));
    void input.write(bytes("b"));
    await turn();
    await expect(input.write(bytes("c"))).rejects.toMatchObject({ code: "PROCESS_EXITED" });
  });
});
