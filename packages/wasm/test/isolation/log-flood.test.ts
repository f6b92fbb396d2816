import type { Platform, Workers } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { wasmModule, type WasmModuleOptions } from "../../src/index.ts";
import { kindOf, Tell } from "../../src/isolation/messages.ts";
import { answer, ECHO, keelsonGuest, on } from "../support/guests.ts";
import { wat } from "../support/wat.ts";
import { codeOf, expectHoldings, expectIdle, holdings, open, openKernel } from "./harness.ts";

const LOG = `(call $log (i32.const 1) (local.get $ptr) (local.get $len))`;
// "flood" logs its payload for ever, "thousand" as often as that.
const FLOOD = on("f", `(loop $more ${LOG} (br $more))`);
const THOUSAND = on(
  "t",
  `(local.set $kind (i32.const 1000))
   (loop $more ${LOG} (br_if $more (local.tee $kind (i32.sub (local.get $kind) (i32.const 1)))))
   ${answer(0, 0, 0, 0)}`,
);
const GUEST = wat(keelsonGuest(ECHO + FLOOD + THOUSAND));
/** Text of a record, of which 16 KiB are taken, and how many of them, with what goes before each, may be ahead of the host. */
const texts = [
  { size: "10 B", text: new Uint8Array(10).fill(97), ahead: 1_024 },
  { size: "60 kB", text: new Uint8Array(60_000).fill(97), ahead: 255 },
] as const;

const options = { source: GUEST, abi: "keelson" } satisfies WasmModuleOptions;
/** What becomes of a call whose module is stopped. */
const STOPPED = ["MODULE_NOT_RUNNING", "ABORTED", "KERNEL_CLOSED", "POOL_CLOSED"];

const away = ["worker", "process"] as const;

describe.each(away)("a guest at isolation %s that logs without end", (isolation) => {
  test.each(texts)("leaves the host's timers their turns, $size at once", async ({ text, ahead }) => {
    const { kernel, written } = await open(isolation, { ...options, limits: { cpuMs: 20_000 } });
    const abort = new AbortController();
    const call = codeOf(kernel.invoke("guest", "flood", text, { signal: abort.signal, timeoutMs: 20_000 }));
    let [turns, before, most] = [0, 0, 0];
    const beat = (): void => {
      most = Math.max(most, written.length - before);
      before = written.length;
      // Timers that have their turn at all have this many long before the call is over.
      if (++turns === 100) abort.abort();
      else setTimeout(beat, 0);
    };
    setTimeout(beat, 0);
    expect(await call).toBe("ABORTED");
    expect(written.length).toBeGreaterThan(ahead);
    // A child's pipe has a size of its own.
    if (isolation === "worker") expect(most).toBeLessThanOrEqual(ahead * 4);
    await kernel.invoke("guest", "thousand", text);
  });

  test("loses no record", async () => {
    const { kernel, written } = await open(isolation, options);
    for (const { text } of texts) {
      written.length = 0;
      for (let round = 0; round < 3; round++) await kernel.invoke("guest", "thousand", text);
      expect(written).toHaveLength(3_000);
      expect(new Set(written.map(({ message }) => message.length))).toEqual(
        new Set([Math.min(text.length, 16_384)]),
      );
    }
  });
});

/** Keeps from a host what its threads log, as if it had no time for it, until it is released. */
class Delay {
  readonly #kept: (() => void)[] = [];
  #hold = true;
  /** Told of each record, with how many there are. */
  onRecord: (count: number) => void = () => undefined;

  get count(): number {
    return this.#kept.length;
  }

  readonly within = (platform: Platform): Platform => {
    const workers = platform.workers as Workers;
    const start: Workers["start"] = (program, receive) =>
      workers.start(program, (message) => {
        if (!this.#hold || kindOf(message as Uint8Array<ArrayBuffer>) !== Tell.log) return receive(message);
        this.#kept.push(() => receive(message));
        this.onRecord(this.#kept.length);
      });
    return { ...platform, workers: { ...workers, start } };
  };

  release(): void {
    this.#hold = false;
    for (const receive of this.#kept) receive();
  }
}

describe("a guest in a thread that waits until its host takes what it logs", () => {
  test.each(texts)("is not far ahead of it, and is stopped at an abort, $size at once", async (one) => {
    const { text, ahead } = one;
    const delay = new Delay();
    const { kernel, written } = await open("worker", options, delay.within);
    const abort = new AbortController();
    delay.onRecord = (count) => {
      if (count === ahead) abort.abort();
    };
    const call = kernel.invoke("guest", "flood", text, { signal: abort.signal });
    await expect(call).rejects.toMatchObject({ code: "ABORTED" });
    // The next call finds the guest stopped: all that it logged is there.
    expect(await codeOf(kernel.invoke("guest", "echo", "x"))).toBe("answered x");
    // It waited with one in its hands, or was told before it had one.
    expect([ahead, ahead + 1]).toContain(delay.count);
    delay.release();
    expect(written).toHaveLength(delay.count);
    await kernel.invoke("guest", "thousand", text);
    // Nothing is said of one that had to be given up.
    expect(written).toHaveLength(delay.count + 1_000);
    await expectIdle();
  });

  test("is stopped at its deadline, and its wait is not its own running time", async () => {
    const delay = new Delay();
    const limits = { cpuMs: 400 };
    const { kernel, written } = await open("worker", { ...options, limits }, delay.within);
    const call = kernel.invoke("guest", "flood", texts[0].text, { timeoutMs: 1_000 });
    await expect(call).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED", details: { limit: "deadline" } });
    expect(delay.count).toBe(1_025);
    delay.release();
    await kernel.invoke("guest", "thousand", texts[0].text);
    expect(written).toHaveLength(2_025);
  });

  test("goes on when its host has taken it, and is stopped by its running time", async () => {
    const delay = new Delay();
    const { kernel, written } = await open("worker", { ...options, limits: { cpuMs: 400 } }, delay.within);
    delay.onRecord = (count) => {
      if (count === 1_024) delay.release();
    };
    const call = kernel.invoke("guest", "flood", texts[0].text, { timeoutMs: 20_000 });
    await expect(call).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED", details: { limit: "cpuMs" } });
    expect(written.length).toBeGreaterThan(1_024);
  });

  test("is ended by the stop of its module, in a call and while it starts, and nothing of it is left", async () => {
    const before = holdings();
    for (const starts of [false, true]) {
      const delay = new Delay();
      const full = Promise.withResolvers<void>();
      delay.onRecord = (count) => {
        if (count === 1_024) full.resolve();
      };
      const source = wat(`(module (import "keelson" "log" (func $log (param i32 i32 i32)))
        (memory (export "memory") 1)
        (func $flood (loop $more (call $log (i32.const 1) (i32.const 0) (i32.const 10)) (br $more)))
        ${starts ? "(start $flood)" : ""}
        (func (export "keelson_alloc") (param i32) (result i32) (i32.const 64))
        (func (export "keelson_free") (param i32 i32))
        (func (export "keelson_call") (param i32 i32 i32 i32 i32) (result i32) (call $flood) (i32.const 0)))`);
      const module = { ...options, source, pool: { min: 0, max: 1 }, deadlines: { stopMs: 500 } };
      const { kernel } = await openKernel(delay.within);
      await kernel.register(wasmModule({ id: "guest", ...module, isolation: "worker" }));
      const started = codeOf(kernel.start("guest"));
      if (!starts) await started;
      const call = starts ? started : codeOf(kernel.invoke("guest", "flood"));
      await full.promise;
      expect(await kernel.shutdown()).toMatchObject({ orphans: [], errors: [] });
      expect(STOPPED).toContain(await call);
    }
    await expectHoldings(before);
    await expectIdle();
  });
});
