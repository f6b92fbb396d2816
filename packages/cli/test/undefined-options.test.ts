import {
  createCompileCache,
  createKernel,
  createPool,
  isKeelsonError,
  nativeModule,
  processModule,
  shutdownOnSignals,
  wasmModule,
} from "keelson";
import { expect, test } from "vitest";

// (module (func (export "run") (result i32) i32.const 42))
const source = Uint8Array.from(atob("AGFzbQEAAAABBQFgAAF/AwIBAAcHAQNydW4AAAoGAQQAQSoL"), (char) =>
  char.charCodeAt(0),
);
const no = undefined;

// That it compiles is half of the test: hosts have what they hand on as `T | undefined`, and `exactOptionalPropertyTypes` tells that from absent.
test("an option that is undefined is one that is not given", async () => {
  await using kernel = await createKernel({
    platform: { log: no },
    loaders: no,
    callTimeoutMs: no,
    logCapacity: no,
    maxParked: no,
    drainMs: no,
    quarantine: no,
  });
  const deadlines = { initMs: no, startMs: no, stopMs: no };
  const restart = {
    policy: no,
    intensity: no,
    backoff: { initialMs: no, factor: no, maxMs: no, jitter: no },
    health: { everyMs: no, timeoutMs: no, failures: no },
  };
  const rest = { name: no, version: no, description: no, depends: no, overlap: no };
  await kernel.register(
    nativeModule({
      ...rest,
      id: "native",
      deadlines,
      restart,
      methods: { run: () => 42 },
      init: no,
      start: no,
      stop: no,
      health: no,
      create: no,
      quarantine: no,
    }),
  );
  await kernel.register(
    wasmModule({
      ...rest,
      id: "wasm",
      source,
      manifest: no,
      base: no,
      abi: no,
      deadlines,
      restart,
      limits: { memory: no, instances: no, fuel: no, cpuMs: no, stack: no, process: no, tableElements: no },
      pool: { min: no, max: no, maxUses: no, maxIdleMs: no, timeoutMs: no, maxWaiting: no, drainMs: no },
      metering: no,
      scheduling: no,
      state: no,
      isolation: no,
      imports: no,
      integrity: no,
      interrupt: no,
      offsets: no,
      cache: createCompileCache({ maxModules: no, folder: no, maxBytes: no }),
      quarantine: { stops: no, withinMs: no, initialMs: no, maxMs: no, minRunMs: no },
    }),
  );
  await kernel.register(
    processModule({
      ...rest,
      id: "process",
      command: "keelson-no-such-command",
      args: no,
      cwd: no,
      env: no,
      preSpawn: no,
      graceMs: no,
      deadlineMs: no,
      handshakeMs: no,
      health: no,
      onRequest: no,
      maxLineBytes: no,
      maxPending: no,
      maxQueuedBytes: no,
      deadlines,
      restart: { policy: "never" },
    }),
  );
  await kernel.start("native", "wasm");
  for (const id of ["native", "wasm"])
    expect(await kernel.invoke(id, "run", no, { timeoutMs: no, signal: no })).toBe(42);
  const refused = await kernel.start("process").catch((error: unknown) => error);
  expect(isKeelsonError(refused) && refused.code).toMatch(/^(SPAWN_FAILED|UNSUPPORTED)$/);

  const hook = kernel.hooks.filter("page", (value) => value, { priority: no, timeoutMs: no });
  hook[Symbol.dispose]();
  kernel.phase("pre-stop", () => {}, { priority: no, critical: no })[Symbol.dispose]();
  kernel.bus.subscribe("page", { capacity: no, overflow: no, from: no })[Symbol.dispose]();
  shutdownOnSignals(kernel, { before: no, onReport: no, onError: no, timeoutMs: no })[Symbol.dispose]();

  const pool = createPool(
    { create: () => ({}), destroy: () => {} },
    { min: no, max: no, maxMemoryBytes: no },
    { clock: kernel.platform.clock },
  );
  using lease = await pool.checkout({ timeoutMs: no, signal: no, call: no });
  lease.discard();
  await pool.close({ timeoutMs: no });
  expect((await kernel.shutdown({ timeoutMs: no })).errors).toEqual([]);
});
