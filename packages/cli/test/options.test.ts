// Every option of what `keelson` exports, given every kind of nonsense: none is taken, and none ends in another error than INVALID_OPTIONS.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  createDisplay,
  createCompileCache,
  createKernel,
  createLineReader,
  createPool,
  createWasmLoader,
  diffCapabilities,
  formatCapabilityDiff,
  boundaryEventOf,
  boundaryFaultOf,
  formatEvent,
  formatStatus,
  isKeelsonError,
  nativeModule,
  parseManifest,
  parseRecord,
  platform,
  pooled,
  processModule,
  readWasmModule,
  recordOf,
  replay,
  runOnce,
  shutdownOnSignals,
  stopOf,
  suspending,
  usageOf,
  wasmModule,
  type Kernel,
} from "keelson";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** What an option may be, by what it may not be, and one value that it may. */
interface Sort {
  readonly sound: readonly unknown[];
  readonly nonsense: readonly unknown[];
}

const nothingLike: readonly unknown[] = [null, "", "5", "soon", true, {}, [], 5n, Symbol("s"), () => {}];

const numbers = (sound: readonly number[], nonsense: readonly number[] = []): Sort => ({
  sound,
  nonsense: [...nothingLike, NaN, -1, -Infinity, ...nonsense],
});
const count = numbers([1, 8, 2 ** 31], [0, 1.5]);
const countFrom0 = numbers([0, 8], [1.5]);
const time = numbers([0, 0.5, 1e12, Infinity]);
const timeAbove0 = numbers([0.5, 1e12, Infinity], [0]);
const finiteTime = numbers([1, 1e12], [Infinity]);
const anyNumber: Sort = { sound: [-Infinity, -1, 0, 5], nonsense: [...nothingLike, NaN] };
const flag: Sort = { sound: [true, false], nonsense: [null, "", "true", "no", 0, 1, {}, []] };
const text: Sort = { sound: ["a-text"], nonsense: [null, 5, true, {}, [], Symbol("s")] };
const callback: Sort = { sound: [() => {}], nonsense: [null, 5, "x", true, {}, []] };
const oneOf = (...sound: readonly string[]): Sort => ({
  sound,
  nonsense: [null, 5, true, {}, [], "", "sometimes", Symbol("s"), sound[0]?.toUpperCase()],
});
const signal: Sort = { sound: [new AbortController().signal], nonsense: [5, "x", true, {}, [], () => {}] };
const options = (...inner: readonly object[]): Sort => ({
  sound: [{}],
  nonsense: [5, "x", true, { unknwon: 1 }, ...inner],
});

const quarantine: Sort = {
  sound: [false, {}, { stops: 2, withinMs: undefined }],
  nonsense: [
    null,
    true,
    5,
    "never",
    { stop: 2 },
    { stops: 1.5 },
    { stops: 0 },
    { withinMs: 0 },
    { initialMs: NaN },
    { maxMs: "1" },
    { minRunMs: -1 },
  ],
};
const restart: Sort = {
  sound: [
    {},
    { policy: "always", intensity: undefined, backoff: { initialMs: undefined }, health: {} },
    { policy: undefined },
  ],
  nonsense: [
    5,
    "always",
    { polcy: "always" },
    { policy: "sometimes" },
    { intensity: { max: 1 } },
    { intensity: { max: 1, within: 5, withinMs: 5 } },
    { intensity: { max: NaN, withinMs: 5 } },
    { backoff: { initial: 5 } },
    { backoff: { jitter: 2 } },
    { backoff: { factor: 0.5 } },
    { health: { every: 5 } },
    { health: { failures: 0 } },
    { health: { everyMs: "1" } },
  ],
};
const deadlines = options({ stopMs: -1 }, { startMs: NaN }, { initMs: "5" }, { stopsMs: 5 });
const depends: Sort = { sound: [{}], nonsense: [5, "x", true, { other: 5 }, { "Not An Id": "*" }] };
const pool = options(
  { min: -1 },
  { min: 1.5 },
  { min: 5, max: 4 },
  { max: 0 },
  { max: "8" },
  { maxUses: 0 },
  { maxIdleMs: 0 },
  { timeoutMs: NaN },
  { maxWaiting: -1 },
  { maxMemoryBytes: 0 },
  { drainMs: -1 },
  { maximum: 5 },
);
const limits = options(
  { memory: "64MiB" },
  { memory: -1 },
  { instances: 0 },
  { fuel: 0.5 },
  { cpuMs: 0 },
  { cpuMs: NaN },
  { stack: 1 },
  { process: -1 },
  { tableElements: NaN },
  { code: { maxBytes: 0 } },
  { code: { maxByte: 5 } },
  { code: 5 },
  { timeoutMs: 5 },
  { cpums: 5 },
);

/** One thing that takes options. */
interface Taker {
  /** Gives it these options. What it answers is waited for. */
  readonly take: (options: never) => unknown;
  /** What must be given. */
  readonly needed?: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, Sort>>;
  /** There may be no options at all. */
  readonly optional?: boolean;
}

const WASM = Uint8Array.from(
  atob("AGFzbQEAAAABCAJgAABgAAF/AwMCAAEHDwIEc3BpbgAABGZpbmUAAQoOAgcAAwAMAAsLBABBKgs="),
  (char) => char.charCodeAt(0),
);

let kernel: Kernel;
let log: Kernel["platform"];
/** A file that can be loaded. */
let plugin: string;

beforeAll(async () => {
  plugin = join(mkdtempSync(join(tmpdir(), "keelson-options-")), "plugin.wasm");
  writeFileSync(plugin, WASM);
  kernel = await createKernel({ platform: { log: { level: "silent" } } });
  log = kernel.platform;
  await kernel.register(nativeModule({ id: "echo", methods: { say: ({ payload }) => payload } }));
  await kernel.register({
    metadata: { id: "stream", name: "stream", version: "1.0.0", kind: "native" },
    create: () => ({
      async *stream() {
        yield 1;
      },
    }),
  });
  await kernel.start();
  kernel.bus.respond("ask", (data) => data);
});
afterAll(async () => {
  await kernel.shutdown();
  rmSync(dirname(plugin), { recursive: true });
});

/** Registers a definition, which looks at the rest of it, and takes it off again. */
async function registered(definition: Parameters<Kernel["register"]>[0]): Promise<void> {
  await kernel.register(definition);
  await kernel.unload(definition.metadata.id);
}

async function ended(of: Promise<Kernel>): Promise<void> {
  await (await of).shutdown();
}

const call = { timeoutMs: { ...time, sound: [5, 1e9, Infinity] }, signal };
const silent = { write: (): void => {} };

const takers: Readonly<Record<string, Taker>> = {
  createKernel: {
    take: (given) => ended(createKernel(given)),
    optional: true,
    options: {
      platform: options(
        { log: { level: "loud" } },
        { log: { color: 1 } },
        { log: { write: "x" } },
        { log: { wirte: () => {} } },
        { logs: {} },
      ),
      loaders: {
        sound: [[]],
        nonsense: [null, 5, "x", {}, [5], [null], [{ kind: "x" }], [{ kind: 5, load: () => {} }]],
      },
      reclaimed: {
        sound: [{ ended: [], orphans: [] }],
        nonsense: [null, 5, "x", {}, [], { ended: 5, orphans: [] }],
      },
      callTimeoutMs: time,
      logCapacity: { ...count, nonsense: [...nothingLike, NaN, -1, 0, 1.5, Infinity] },
      maxParked: time,
      drainMs: time,
      quarantine,
    },
  },
  platform: {
    take: platform,
    optional: true,
    options: { log: options({ level: "loud" }, { color: "yes" }, { write: 5 }, { lvl: "info" }) },
  },
  nativeModule: {
    take: (given) => registered(nativeModule(given)),
    needed: { id: "made" },
    options: {
      name: text,
      version: { sound: ["1.2.3"], nonsense: [null, 5, "", "1", "latest", {}] },
      description: text,
      methods: { sound: [{}, { a: () => 1 }], nonsense: [5, "x", { a: 5 }, { a: null }] },
      init: callback,
      start: callback,
      stop: callback,
      health: callback,
      create: { ...callback, sound: [() => ({})] },
      depends,
      restart,
      overlap: flag,
      deadlines,
      quarantine,
    },
  },
  processModule: {
    take: (given) => registered(processModule(given)),
    needed: { id: "made", command: "true" },
    options: {
      command: { sound: ["true"], nonsense: [null, 5, "", "a\0b", {}, ["true"]] },
      args: { sound: [[], ["a", ""]], nonsense: [null, 5, "a b", {}, [5], [null], ["a\0"]] },
      cwd: { sound: [".", new URL("file:///tmp/")], nonsense: [null, 5, true, {}, []] },
      env: { sound: [{}, { A: "b" }], nonsense: [5, "A=b", true, { A: 5 }, { A: undefined }, { "A=": "b" }] },
      maxLineBytes: finiteTime,
      graceMs: { ...finiteTime, sound: [0, 5] },
      deadlineMs: { ...finiteTime, sound: [0, 5] },
      name: text,
      version: { sound: ["1.2.3"], nonsense: [null, 5, "", "1", {}] },
      description: text,
      handshakeMs: finiteTime,
      restart,
      deadlines,
      depends,
      overlap: flag,
      health: flag,
      onRequest: callback,
      maxPending: finiteTime,
      maxQueuedBytes: finiteTime,
    },
  },
  runOnce: {
    // What is not refused fails, since there is no such program.
    take: async (given) => {
      await runOnce(log, given).catch((error: unknown) => {
        if (isKeelsonError(error, "INVALID_OPTIONS")) throw error;
      });
    },
    needed: { command: "keelson-no-such-program" },
    options: {
      args: { sound: [[]], nonsense: [null, 5, "a", [5]] },
      env: { sound: [{}], nonsense: [5, { A: 5 }] },
      preSpawn: { sound: [{}, () => ({})], nonsense: [null, 5, "A=b", { A: 5 }, () => 5, () => ({ A: 5 })] },
      timeoutMs: finiteTime,
      maxLineBytes: finiteTime,
      graceMs: { ...finiteTime, sound: [0, 5] },
      deadlineMs: { ...finiteTime, sound: [0, 5] },
      signal,
    },
  },
  wasmModule: {
    take: (given) => registered(wasmModule(given)),
    needed: { id: "made", source: WASM },
    options: {
      source: { sound: ["./x.wasm"], nonsense: [null, 5, true, {}, [], new ArrayBuffer(8)] },
      manifest: { sound: [], nonsense: [null, 5, "x", {}] },
      base: { sound: [new URL("file:///tmp/")], nonsense: [null, 5, "file:///tmp/", {}] },
      name: text,
      version: { sound: ["1.2.3"], nonsense: [null, 5, "", "1", {}] },
      description: text,
      abi: { sound: ["raw"], nonsense: [null, 5, true, {}, [], () => {}] },
      pool,
      limits,
      metering: oneOf("exact", "deadline", "off"),
      scheduling: oneOf("exclusive", "sliced"),
      state: oneOf("keep", "fresh"),
      isolation: oneOf("inline", "worker", "process"),
      imports: { sound: [{}, () => ({})], nonsense: [null, 5, "x", true, { host: 5 }, { host: null }] },
      integrity: { ...text, sound: ["sha256-n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="] },
      depends,
      restart,
      overlap: flag,
      deadlines,
      interrupt: { sound: [new Int32Array(1)], nonsense: [null, 5, true, {}, [], new Uint8Array(4)] },
      quarantine,
      offsets: flag,
      cache: options({ maxModules: -1 }, { maxBytes: NaN }, { folder: 5 }, { foldre: "x" }),
    },
  },
  createWasmLoader: {
    take: createWasmLoader,
    optional: true,
    options: {
      pool,
      limits,
      state: oneOf("keep", "fresh"),
      scheduling: oneOf("exclusive", "sliced"),
      metering: oneOf("exact", "deadline", "off"),
      isolation: oneOf("inline", "worker", "process"),
      imports: { sound: [{}], nonsense: [null, 5, "x"] },
      cache: options({ maxModules: -1 }),
    },
  },
  "load()": {
    take: async (given) => await (await kernel.load(plugin, given))[Symbol.asyncDispose](),
    optional: true,
    options: { id: { sound: ["made"], nonsense: [null, 5, true, {}, [], "", "Not An Id"] }, start: flag },
  },
  "invoke()": { take: (given) => kernel.invoke("echo", "say", 1, given), optional: true, options: call },
  "measure()": {
    take: (given) =>
      kernel.measure("echo", "say", 1, given).catch((error: unknown) => {
        if (!isKeelsonError(error, "UNSUPPORTED")) throw error;
      }),
    optional: true,
    options: { ...call, record: flag },
  },
  "stream()": {
    take: async (given) => {
      for await (const _ of kernel.stream("stream", "all", 1, given));
    },
    optional: true,
    options: call,
  },
  "phase()": {
    take: (given) => kernel.phase("pre-load", () => {}, given)[Symbol.dispose](),
    optional: true,
    options: { priority: anyNumber, critical: flag },
  },
  "bus.send()": { take: (given) => kernel.bus.send("a.b", 1, given), optional: true, options: call },
  "bus.request()": { take: (given) => kernel.bus.request("ask", 1, given), optional: true, options: call },
  "bus.subscribe()": {
    take: (given) => kernel.bus.subscribe("a.b", given).close(),
    optional: true,
    options: {
      capacity: { ...count, nonsense: [...count.nonsense, Infinity] },
      overflow: oneOf("drop-oldest", "drop-newest", "back-pressure"),
      from: { sound: [], nonsense: [null, 5, "x", {}, { timestamp: 1 }] },
    },
  },
  "hooks.filter()": {
    take: (given) => kernel.hooks.filter("h", (value) => value, given)[Symbol.dispose](),
    optional: true,
    options: { priority: anyNumber, timeoutMs: timeAbove0 },
  },
  "hooks.action()": {
    take: (given) => kernel.hooks.action("h", () => {}, given)[Symbol.dispose](),
    optional: true,
    options: { priority: anyNumber, timeoutMs: timeAbove0 },
  },
  "metrics.counter()": {
    take: (given) => kernel.metrics.scoped({})[Symbol.dispose]() ?? kernel.metrics.counter("made", given),
    needed: { help: "Made." },
    options: { help: text, unit: { sound: [], nonsense: [null, 5, {}, "parsecs"] } },
  },
  "metrics.histogram()": {
    take: (given) => kernel.metrics.histogram("made_histogram", given),
    needed: { help: "Made." },
    options: { help: text, buckets: { sound: [], nonsense: [null, 5, "x", {}, ["1"], [NaN], [2, 1]] } },
  },
  "shutdown()": {
    take: async (given) => {
      await using other = await createKernel({ platform: { log: { level: "silent" } } });
      await other.shutdown(given);
    },
    optional: true,
    options: { timeoutMs: time },
  },
  createDisplay: {
    take: (given) => createDisplay(given)[Symbol.dispose](),
    optional: true,
    options: {
      output: { sound: [silent], nonsense: [5, "x", true, {}, { write: 5 }] },
      heading: { ...callback, sound: [() => []] },
      color: flag,
      everyMs: time,
    },
  },
  shutdownOnSignals: {
    take: (given) => shutdownOnSignals(kernel, given)[Symbol.dispose](),
    optional: true,
    options: { before: callback, onReport: callback, onError: callback, timeoutMs: time },
  },
  formatStatus: {
    take: (given) => formatStatus(kernel.list(), given),
    optional: true,
    options: { color: flag, columns: { ...countFrom0, nonsense: nothingLike.slice(0, 2).concat(NaN, -1) } },
  },
  createPool: {
    take: (given) => createPool({ create: () => ({}), destroy() {} }, given, log).close(),
    optional: true,
    options: {
      min: { ...countFrom0, sound: [0, 2], nonsense: [...countFrom0.nonsense, Infinity, 9_000.5] },
      max: { ...count, nonsense: [...count.nonsense, Infinity] },
      maxUses: { ...count, sound: [1, Infinity] },
      maxIdleMs: timeAbove0,
      timeoutMs: time,
      maxWaiting: { ...countFrom0, sound: [0, Infinity] },
      // It needs a source that can tell.
      maxMemoryBytes: { sound: [Infinity], nonsense: timeAbove0.nonsense },
      drainMs: time,
    },
  },
  "pool.checkout()": {
    take: async (given) => {
      await using held = createPool({ create: () => ({}), destroy() {} }, {}, log);
      (await held.checkout(given)).release();
    },
    optional: true,
    options: call,
  },
  createLineReader: {
    take: createLineReader,
    needed: { onLine: () => {} },
    options: {
      maxLineBytes: finiteTime,
      tooLong: oneOf("fault", "cut"),
      brokenUtf8: oneOf("fault", "replace"),
      onLine: callback,
      onFault: callback,
    },
  },
  createCompileCache: {
    take: createCompileCache,
    optional: true,
    options: {
      maxModules: { ...countFrom0, sound: [0, Infinity] },
      folder: { sound: ["./cache", new URL("file:///tmp/cache")], nonsense: [null, 5, true, {}, []] },
      maxBytes: { ...countFrom0, sound: [0, Infinity] },
    },
  },
  parseManifest: {
    // Options are looked at first.
    take: (given) => {
      try {
        parseManifest({}, given);
      } catch (error) {
        if (!isKeelsonError(error, "INVALID_MANIFEST")) throw error;
      }
    },
    optional: true,
    options: { source: text },
  },
  formatEvent: {
    take: (given) => formatEvent({} as never, given),
    optional: true,
    options: { color: flag },
  },
  replay: {
    // Options are looked at first; what is left to refuse then is the record.
    take: (given) =>
      replay({} as never, WASM, given).catch((error: unknown) => {
        if (!isKeelsonError(error, "INVALID_RECORD")) throw error;
      }),
    needed: { clock: { now: () => 0 } },
    options: {
      clock: { sound: [{ now: () => 5 }], nonsense: [null, 5, "x", {}, { now: 5 }] },
      abi: { sound: [], nonsense: [5, "x", true] },
      timeoutMs: time,
      strict: flag,
    },
  },
  readWasmModule: {
    take: (given) =>
      readWasmModule("/no/such/plugin", log, given).catch((error: unknown) => {
        if (!isKeelsonError(error, "NOT_FOUND")) throw error;
      }),
    optional: true,
    options: {},
  },
};

/** What comes of it, in a word: "taken", the code of a KeelsonError, or what else was thrown. */
async function outcome(taker: Taker, given: unknown): Promise<string> {
  try {
    await (taker.take as (options: unknown) => unknown)(given);
    return "taken";
  } catch (error) {
    return isKeelsonError(error) ? error.code : `no KeelsonError: ${String(error)}`;
  }
}

function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (value === WASM) return "WASM";
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || value === null || value instanceof URL) return String(value);
  return `{ ${Object.entries(value)
    .map(([name, inner]) => `${name}: ${show(inner)}`)
    .join(", ")} }`;
}

describe.each(Object.entries(takers))("%s", (_name, taker) => {
  const needed = taker.needed ?? {};

  test("takes what is sound, and undefined as not given", async () => {
    const wrong: string[] = [];
    const expectTaken = async (given: unknown): Promise<void> => {
      const found = await outcome(taker, given);
      if (found !== "taken") wrong.push(`${show(given)}: ${found}`);
    };
    if (taker.optional === true) for (const none of [undefined, null]) await expectTaken(none);
    await expectTaken(needed);
    for (const [name, { sound }] of Object.entries(taker.options)) {
      if (!Object.hasOwn(needed, name)) await expectTaken({ ...needed, [name]: undefined });
      for (const value of sound) await expectTaken({ ...needed, [name]: value });
    }
    expect(wrong).toEqual([]);
  });

  test("refuses what is none with INVALID_OPTIONS", async () => {
    const before = kernel.list().map(({ metadata }) => metadata.id);
    const wrong: string[] = [];
    const expectRefused = async (given: unknown): Promise<void> => {
      const found = await outcome(taker, given);
      if (found !== "INVALID_OPTIONS") wrong.push(`${show(given)}: ${found}`);
    };
    for (const no of [5, "x", true, Symbol("s"), ...(taker.optional === true ? [] : [undefined, null])])
      await expectRefused(no);
    for (const key of ["unknwon", "timeout", ""]) await expectRefused({ ...needed, [key]: 5 });
    for (const [name, { nonsense }] of Object.entries(taker.options))
      for (const value of nonsense) await expectRefused({ ...needed, [name]: value });
    expect(wrong).toEqual([]);
    expect(kernel.list().map(({ metadata }) => metadata.id)).toEqual(before);
  });
});

/** What is none of a text, and none of an id. */
const noTexts: readonly unknown[] = [
  undefined,
  null,
  5,
  NaN,
  true,
  {},
  [],
  () => {},
  Symbol("s"),
  Object.create(null),
  "",
];
const noFunctions: readonly unknown[] = [undefined, null, 5, "x", true, {}, []];
const noLists: readonly unknown[] = [undefined, null, 5, "x", true, {}, () => {}];
const noBytes: readonly unknown[] = [undefined, null, 5, "AGFzbQ==", true, {}, [], new ArrayBuffer(8)];

/** What is given by its place: how it is given, what it is not, and the code it ends in. */
const places: Readonly<
  Record<
    string,
    { readonly give: (value: never) => unknown; readonly nonsense: readonly unknown[]; readonly code: string }
  >
> = {
  "register(definition)": {
    give: (value) => kernel.register(value),
    nonsense: [...noLists, [], { metadata: {} }],
    code: "INVALID_OPTIONS",
  },
  "load(source)": {
    give: (value) => kernel.load(value),
    nonsense: noTexts.slice(0, -1),
    code: "INVALID_OPTIONS",
  },
  "init(id)": { give: (value) => kernel.init(value), nonsense: noTexts, code: "UNKNOWN_MODULE" },
  "start(id)": { give: (value) => kernel.start(value), nonsense: noTexts, code: "UNKNOWN_MODULE" },
  "stop(id)": { give: (value) => kernel.stop(value), nonsense: noTexts, code: "UNKNOWN_MODULE" },
  "reload(id)": { give: (value) => kernel.reload(value), nonsense: noTexts, code: "UNKNOWN_MODULE" },
  "reload(id, version)": {
    give: (value) => kernel.reload("echo", value),
    nonsense: noTexts.slice(1, -1),
    code: "INVALID_OPTIONS",
  },
  "unload(id)": { give: (value) => kernel.unload(value), nonsense: noTexts, code: "UNKNOWN_MODULE" },
  "invoke(id)": { give: (value) => kernel.invoke(value, "say"), nonsense: noTexts, code: "UNKNOWN_MODULE" },
  "invoke(id, method)": {
    give: (value) => kernel.invoke("echo", value),
    nonsense: noTexts,
    code: "UNKNOWN_METHOD",
  },
  "invokeSync(id)": {
    give: (value) => kernel.invokeSync(value, "say"),
    nonsense: noTexts,
    code: "UNKNOWN_MODULE",
  },
  "invokeSync(id, method)": {
    give: (value) => kernel.invokeSync("echo", value),
    nonsense: noTexts,
    code: "UNKNOWN_METHOD",
  },
  "measure(id)": { give: (value) => kernel.measure(value, "say"), nonsense: noTexts, code: "UNKNOWN_MODULE" },
  "stream(id)": {
    give: (value) => kernel.stream(value, "all")[Symbol.asyncIterator]().next(),
    nonsense: noTexts,
    code: "UNKNOWN_MODULE",
  },
  "relieve(id)": {
    give: (value) => kernel.relieve(value),
    nonsense: noTexts.slice(1),
    code: "UNKNOWN_MODULE",
  },
  "relieve(id, bytes)": {
    give: (value) => kernel.relieve(undefined, value),
    nonsense: [...nothingLike, NaN, -1],
    code: "INVALID_OPTIONS",
  },
  "health(id)": { give: (value) => kernel.health(value), nonsense: noTexts, code: "UNKNOWN_MODULE" },
  "reconcile(desired)": {
    give: (value) => kernel.reconcile(value),
    nonsense: [...noLists, [5], [null], [{}]],
    code: "INVALID_OPTIONS",
  },
  "reconcile([id])": {
    give: (value) => kernel.reconcile([value]),
    nonsense: ["", "ehco"],
    code: "UNKNOWN_MODULE",
  },
  "phase(phase)": {
    give: (value) => kernel.phase(value, () => {}),
    nonsense: [...noTexts, "pre-lod"],
    code: "INVALID_OPTIONS",
  },
  "phase(phase, hook)": {
    give: (value) => kernel.phase("pre-load", value),
    nonsense: noFunctions,
    code: "INVALID_OPTIONS",
  },
  "events(from)": {
    give: (value) => kernel.events(value),
    nonsense: [null, 5, "x", {}, []],
    code: "INVALID_OPTIONS",
  },
  "bus.publish(topic)": {
    give: (value) => kernel.bus.publish(value, 1),
    nonsense: [...noTexts, "a..b", "a.*"],
    code: "INVALID_TOPIC",
  },
  "bus.send(topic)": {
    give: (value) => kernel.bus.send(value, 1),
    nonsense: [...noTexts, "a..b", "a.*"],
    code: "INVALID_TOPIC",
  },
  "bus.request(topic)": {
    give: (value) => kernel.bus.request(value, 1),
    nonsense: [...noTexts, "a..b", "a.*"],
    code: "INVALID_TOPIC",
  },
  "bus.on(pattern)": {
    give: (value) => kernel.bus.on(value, () => {}),
    nonsense: [...noTexts, "a..b", "**.a"],
    code: "INVALID_TOPIC",
  },
  "bus.on(pattern, listener)": {
    give: (value) => kernel.bus.on("a", value),
    nonsense: noFunctions,
    code: "INVALID_OPTIONS",
  },
  "bus.subscribe(pattern)": {
    give: (value) => kernel.bus.subscribe(value),
    nonsense: [...noTexts, "a..b"],
    code: "INVALID_TOPIC",
  },
  "bus.respond(topic)": {
    give: (value) => kernel.bus.respond(value, () => 1),
    nonsense: [...noTexts, "a.*"],
    code: "INVALID_TOPIC",
  },
  "bus.respond(topic, responder)": {
    give: (value) => kernel.bus.respond("a", value),
    nonsense: noFunctions,
    code: "INVALID_OPTIONS",
  },
  "hooks.filter(name)": {
    give: (value) => kernel.hooks.filter(value, (it) => it),
    nonsense: noTexts,
    code: "INVALID_OPTIONS",
  },
  "hooks.filter(name, handler)": {
    give: (value) => kernel.hooks.filter("h", value),
    nonsense: noFunctions,
    code: "INVALID_OPTIONS",
  },
  "hooks.action(name)": {
    give: (value) => kernel.hooks.action(value, () => {}),
    nonsense: noTexts,
    code: "INVALID_OPTIONS",
  },
  "hooks.action(name, handler)": {
    give: (value) => kernel.hooks.action("h", value),
    nonsense: noFunctions,
    code: "INVALID_OPTIONS",
  },
  "metrics.counter(name)": {
    give: (value) => kernel.metrics.counter(value, { help: "x" }),
    nonsense: [...noTexts, "a b"],
    code: "INVALID_OPTIONS",
  },
  "metrics.gauge(name, options, labels)": {
    give: (value) => kernel.metrics.gauge("g", { help: "x" }, value),
    nonsense: [5, "x", { a: 5 }, { "a b": "c" }],
    code: "INVALID_OPTIONS",
  },
  "runOnce(platform)": {
    give: (value) => runOnce(value, { command: "true" }),
    nonsense: [undefined, null, 5, "x", {}],
    code: "INVALID_OPTIONS",
  },
  "readWasmModule(manifest)": {
    give: (value) => readWasmModule(value, log),
    nonsense: noTexts.slice(0, -1),
    code: "INVALID_OPTIONS",
  },
  "readWasmModule(manifest, platform)": {
    give: (value) => readWasmModule("x", value),
    nonsense: [undefined, null, 5, "x", {}],
    code: "INVALID_OPTIONS",
  },
  "replay(record)": {
    give: (value) => replay(value, WASM, { clock: log.clock }),
    nonsense: [...noLists, []],
    code: "INVALID_RECORD",
  },
  "replay(record, source)": {
    give: (value) => replay({} as never, value, { clock: log.clock }),
    nonsense: noBytes,
    code: "INVALID_OPTIONS",
  },
  "parseRecord(text)": {
    give: (value) => parseRecord(value),
    nonsense: [...noTexts, "{}", "null"],
    code: "INVALID_RECORD",
  },
  "parseManifest(input)": {
    give: (value) => parseManifest(value),
    nonsense: [...noTexts, "{}", "null"],
    code: "INVALID_MANIFEST",
  },
  "pooled(source)": { give: (value) => pooled(value), nonsense: [...noLists, {}], code: "INVALID_OPTIONS" },
  "createPool(source)": {
    give: (value) => createPool(value, {}, log),
    nonsense: [...noLists, {}, { create() {} }],
    code: "INVALID_OPTIONS",
  },
  "createPool(source, options, deps)": {
    give: (value) => createPool({ create: () => 1, destroy() {} }, {}, value),
    nonsense: [...noLists, {}],
    code: "INVALID_OPTIONS",
  },
  "diffCapabilities(before)": {
    give: (value) => diffCapabilities(value, []),
    nonsense: [...noLists, [5]],
    code: "INVALID_OPTIONS",
  },
  "formatCapabilityDiff(diff)": {
    give: (value) => formatCapabilityDiff(value),
    nonsense: [...noLists, {}],
    code: "INVALID_OPTIONS",
  },
  "suspending(run)": { give: (value) => suspending(value), nonsense: noFunctions, code: "INVALID_OPTIONS" },
  "shutdownOnSignals(kernel)": {
    give: (value) => shutdownOnSignals(value),
    nonsense: [undefined, null, 5, "x", {}],
    code: "INVALID_OPTIONS",
  },
  "formatStatus(modules)": {
    give: (value) => formatStatus(value),
    nonsense: [...noLists, [5], [null]],
    code: "INVALID_OPTIONS",
  },
  "display.show(kernel)": {
    give: (value) => createDisplay({ output: silent }).show(value),
    nonsense: [undefined, null, 5, "x", {}],
    code: "INVALID_OPTIONS",
  },
};

test.each(Object.entries(places))("%s refuses what is none", async (_name, { give, nonsense, code }) => {
  const before = kernel.list().map(({ metadata, state }) => `${metadata.id} ${state}`);
  const wrong: string[] = [];
  for (const value of nonsense) {
    const found = await outcome({ take: give, options: {} }, value);
    if (found !== code) wrong.push(`${show(value)}: ${found}`);
  }
  expect(wrong).toEqual([]);
  expect(kernel.list().map(({ metadata, state }) => `${metadata.id} ${state}`)).toEqual(before);
});

test("what only looks at what it is given answers undefined or false for anything", () => {
  for (const value of [...noTexts, ...nothingLike, WASM] as never[]) {
    expect(kernel.state(value)).toBeUndefined();
    expect(isKeelsonError(value)).toBe(false);
    expect(stopOf(value, "a")).toBeUndefined();
    expect(usageOf(value)).toBeUndefined();
    expect(formatEvent(value)).toBeUndefined();
    expect(boundaryEventOf(value)).toBeUndefined();
    expect(boundaryFaultOf(value)).toBeUndefined();
    expect(recordOf(value)).toBeUndefined();
  }
});
