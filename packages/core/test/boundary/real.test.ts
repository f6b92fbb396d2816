import { fileURLToPath } from "node:url";
import process from "node:process";
import { afterEach, describe, expect, test } from "vitest";
import { adapter, eventually, isAlive, runtime } from "../../../node-compat/test/adapter.ts";
import { processModule, type ProcessModuleOptions, runOnce } from "../../src/boundary/index.ts";
import type { Kernel } from "../../src/contract/kernel.ts";
import type { Envelope } from "../../src/contract/bus.ts";
import { createKernel, nativeModule } from "../../src/kernel/index.ts";
import { rejection } from "../support/errors.ts";

const echo = fileURLToPath(new URL("children/echo.mjs", import.meta.url));
const echoChild = { command: process.execPath, args: [...(runtime === "deno" ? ["run", "-A"] : []), echo] };
const sh = (script: string): { command: string; args: string[] } => ({ command: "sh", args: ["-c", script] });
const READY = `echo '{"event_id":"1","source":"module","timestamp_ms":1,"module":"m","event_type":"ready","payload":null}'`;

const kernels: Kernel[] = [];
afterEach(async () => {
  for (const kernel of kernels.splice(0)) {
    const report = await kernel.shutdown();
    expect(report.orphans).toEqual([]);
  }
});

async function host(options: Partial<ProcessModuleOptions> = {}): Promise<Kernel> {
  const kernel = createKernel({ platform: await adapter() });
  kernels.push(kernel);
  await kernel.register(processModule({ id: "echo", ...echoChild, ...options }));
  return kernel;
}

function next(kernel: Kernel, topic: string): Promise<Envelope> {
  return new Promise((resolve) => {
    const subscription = kernel.bus.on(topic, (envelope) => {
      subscription[Symbol.dispose]();
      resolve(envelope);
    });
  });
}

const pidOf = (envelope: Envelope): number =>
  (envelope.data as { event: { payload: { pid: number } } }).event.payload.pid;

describe("a real child", () => {
  test("says it is ready, answers calls, and is gone after the shutdown", async () => {
    const kernel = await host();
    const ready = next(kernel, "boundary.echo.ready");
    await kernel.start("echo");
    const pid = pidOf(await ready);
    expect(isAlive(pid)).toBe(true);
    const value = {
      text: "grüße \u{1f600}",
      bytes: Uint8Array.of(0, 255),
      big: 2n ** 80n,
      list: [1, null, true],
    };
    expect(await kernel.invoke("echo", "echo", value)).toEqual(value);
    expect(await kernel.health("echo")).toEqual({ healthy: true });
    const report = await kernel.shutdown();
    expect(report).toEqual({ terminated: ["echo"], orphans: [], errors: [] });
    expect(isAlive(pid)).toBe(false);
  });

  test("answers a thousand calls in flight, large ones among them", async () => {
    const kernel = await host();
    await kernel.start("echo");
    const payloads = Array.from({ length: 1000 }, (_, index) =>
      index % 100 === 0 ? "x".repeat(200_000) : index,
    );
    const results = await Promise.all(payloads.map((payload) => kernel.invoke("echo", "echo", payload)));
    expect(results.every((result, index) => result === payloads[index])).toBe(true);
  });

  test("gets the environment it was given and no other", async () => {
    process.env["KEELSON_TEST_SECRET"] = "s";
    const kernel = await host({ env: { A: "1" }, preSpawn: async () => ({ TOKEN: "t" }) });
    await kernel.start("echo");
    expect(await kernel.invoke("echo", "env", "A")).toBe("1");
    expect(await kernel.invoke("echo", "env", "TOKEN")).toBe("t");
    expect(await kernel.invoke("echo", "env", "KEELSON_TEST_SECRET")).toBeNull();
  });

  test("errors of its own reach the caller, and a cancelled call reaches the child", async () => {
    const kernel = await host();
    await kernel.start("echo");
    expect((await rejection(kernel.invoke("echo", "fail"))).code).toBe("NOT_FOUND");
    const abort = new AbortController();
    const hanging = rejection(kernel.invoke("echo", "hang", null, { signal: abort.signal }));
    const late = rejection(kernel.invoke("echo", "hang", null, { timeoutMs: 40 }));
    abort.abort();
    expect((await hanging).code).toBe("ABORTED");
    expect((await late).code).toBe("DEADLINE_EXCEEDED");
    let cancelled: unknown;
    for (let round = 0; round < 100 && (cancelled as unknown[] | undefined)?.length !== 2; round++) {
      cancelled = await kernel.invoke("echo", "cancelled");
    }
    expect(cancelled).toHaveLength(2);
  });

  test("calls modules of the host, and gets their errors", async () => {
    const kernel = await host();
    await kernel.register(
      nativeModule({ id: "math", methods: { add: ({ payload }) => (payload as number) + 1 } }),
    );
    await kernel.start();
    const ask = (module: string, payload: number): Promise<unknown> =>
      kernel.invoke("echo", "ask", { module, method: "add", payload });
    expect(await ask("math", 41)).toBe(42);
    expect((await rejection(ask("nobody", 1))).code).toBe("UNKNOWN_MODULE");
  });

  test("a crash tells exit code and last words, and the module is restarted", async () => {
    const kernel = await host({ restart: { backoff: { initialMs: 1 } } });
    await kernel.start("echo");
    const ready = next(kernel, "boundary.echo.ready");
    const error = await rejection(kernel.invoke("echo", "crash", 3));
    expect(error).toMatchObject({
      code: "PROCESS_EXITED",
      details: { code: 3, stderr: ["about to fail", "because I was told to"] },
    });
    await ready;
    await eventually(() => kernel.state("echo") === "running");
    expect(await kernel.invoke("echo", "echo", "back")).toBe("back");
  });

  test("garbage in the midst of its life harms nothing", async () => {
    const kernel = await host();
    await kernel.start("echo");
    const codes: unknown[] = [];
    using _ = kernel.bus.on("boundary.echo.error", ({ data }) =>
      codes.push((data as { error: { code: string } }).error.code),
    );
    expect(await kernel.invoke("echo", "noise")).toBe("still here");
    expect(codes).toEqual(["INVALID_UTF8", "INVALID_JSON"]);
  });

  test("its own word on its health counts when asked for", async () => {
    const kernel = await host({ health: true, env: { HEALTHY: "no" } });
    await kernel.start("echo");
    expect(await kernel.health("echo")).toEqual({ healthy: false, message: "as told" });
  });
});

describe("a bad child", () => {
  test.each<[string, Partial<ProcessModuleOptions>, string]>([
    ["does not exist", { command: "/no/such/program", args: [] }, "SPAWN_FAILED"],
    ["exits at once", sh("echo why >&2; exit 7"), "PROCESS_EXITED"],
    ["dies by a signal", sh("kill -9 $$"), "PROCESS_EXITED"],
    ["leaves its output to a grandchild", sh("sleep 1000 & echo bye >&2; exit 4"), "PROCESS_EXITED"],
    ["prints garbage", sh("echo hello; sleep 1000"), "INVALID_JSON"],
    ["prints nothing", { ...sh("sleep 1000"), handshakeMs: 50 }, "HANDSHAKE_TIMEOUT"],
    ["ends without a word", sh("true"), "EMPTY_OUTPUT"],
    ["closes its output", sh("exec >&-; sleep 1000"), "EMPTY_OUTPUT"],
    ["prints 100 MB without a newline", sh("head -c 100000000 /dev/zero | tr '\\0' x"), "LINE_TOO_LONG"],
    ["ignores SIGTERM", { ...sh("trap '' TERM; echo x; sleep 1000"), graceMs: 20 }, "INVALID_JSON"],
  ])("that %s fails its start, and nothing of it is left", async (_, options, code) => {
    const kernel = await host({ ...options, restart: { policy: "never" } });
    const begun = performance.now();
    expect((await rejection(kernel.start("echo"))).code).toBe(code);
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(kernel.state("echo")).toBe("failed");
    expect((await kernel.shutdown()).errors).toEqual([]);
  });

  test("that exits before its first line is told with code and last words", async () => {
    const kernel = await host({
      ...sh("sleep 1000 & echo no config >&2; exit 4"),
      restart: { policy: "never" },
    });
    expect((await rejection(kernel.start("echo"))).details).toEqual({ code: 4, stderr: ["no config"] });
  });

  test("that never reads costs a bounded queue, and calls are refused with QUEUE_FULL", async () => {
    const kernel = await host({ ...sh(`${READY}; exec sleep 1000`), maxQueuedBytes: 2_000_000 });
    await kernel.start("echo");
    const codes = new Set<string>();
    const payload = "x".repeat(100_000);
    const calls: Promise<void>[] = [];
    for (let round = 0; round < 30; round++) {
      for (let index = 0; index < 5; index++) {
        calls.push(
          rejection(kernel.invoke("echo", "a", payload, { timeoutMs: 300 })).then(
            ({ code }) => void codes.add(code),
          ),
        );
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(calls);
    expect([...codes].sort()).toEqual(["DEADLINE_EXCEEDED", "QUEUE_FULL"]);
  });

  test("that closes its input makes calls fail, not the host", async () => {
    const kernel = await host({ ...sh(`${READY}; exec <&-; exec sleep 1000`) });
    await kernel.start("echo");
    let code = "DEADLINE_EXCEEDED";
    // Until the shell has come to closing it, a call is taken and never answered.
    for (let round = 0; round < 100 && code === "DEADLINE_EXCEEDED"; round++) {
      code = (await rejection(kernel.invoke("echo", "a", null, { timeoutMs: 200 }))).code;
    }
    expect(code).toBe("IO");
    expect(kernel.state("echo")).toBe("running");
  });

  test("that closes its output while it lives makes calls fail, and is not healthy", async () => {
    const kernel = await host({ ...sh(`${READY}; exec >&-; exec sleep 1000`) });
    await kernel.start("echo");
    expect((await rejection(kernel.invoke("echo", "a"))).code).toBe("IO");
    expect((await kernel.health("echo")).healthy).toBe(false);
  });

  test("that was killed from outside is restarted", async () => {
    const kernel = await host({ restart: { backoff: { initialMs: 1 } } });
    const ready = next(kernel, "boundary.echo.ready");
    await kernel.start("echo");
    const again = next(kernel, "boundary.echo.ready");
    process.kill(pidOf(await ready), "SIGKILL");
    await again;
    await eventually(() => kernel.state("echo") === "running");
  });
});

describe("runOnce on a real child", () => {
  test("gives the event and ends a child that would live on", async () => {
    const platform = await adapter();
    const event = await runOnce(platform, { ...sh(`${READY}; exec sleep 1000`), graceMs: 50 });
    expect(event.event).toEqual({ kind: "module", module: "m", event_type: "ready", payload: null });
  });

  test("takes the event of a child that prints and exits, even without a newline", async () => {
    const platform = await adapter();
    const event = await runOnce(platform, sh(`printf %s "$(${READY})"`));
    expect(event.event_id).toBe("1");
  });
});
