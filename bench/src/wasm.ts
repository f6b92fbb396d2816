import { createKernel, type Kernel, wasmModule } from "keelson";
import { ADD, ECHO, EXTISM_ECHO } from "./guests.ts";
import { alternate, type Contender, OURS, type Task } from "./measure.ts";

const BARE = "bare export, awaited";
const EXTISM = "Extism JS 1.0.3, call and reset";

/**
 * Measures calls of WebAssembly through the kernel of the runtime at hand, with its counters and durations, beside bare calls of the same
 * exports and beside Extism's JavaScript host with a reset after each call, without which it fails after some thousand calls. Each
 * has a guest that answers what it was given.
 */
export async function benchWasm(rounds: number): Promise<readonly Task[]> {
  const times = 2000;
  const small = new TextEncoder().encode("hello world");
  const large = Uint8Array.from({ length: 65_536 }, (_, at) => at);
  await using kernel = await startKernel();
  const extism = await openExtism();
  const bytes = (method: string, input: Uint8Array): Contender[] => [
    bareEcho(input),
    keelsonEcho(kernel, input),
    extismEcho(extism, method, input),
  ];
  try {
    return [
      await alternate(
        "raw WASM add, awaited",
        [bareAdd(), keelsonAdd(kernel)],
        { rounds, times: 5 * times },
        [{ against: [BARE], kind: "adds at most", target: 250 }],
      ),
      await alternate("11 bytes there and back, awaited", bytes("echo", small), { rounds, times }, [
        { against: [EXTISM], kind: "at least", target: 3 },
      ]),
      await alternate(
        "11 bytes there and back, governed",
        [keelsonEcho(kernel, small, "governed-echo"), extismEcho(extism, "echo", small)],
        { rounds, times },
      ),
      await alternate("64 KiB there and back, awaited", bytes("copy", large), { rounds, times: times / 100 }),
    ];
  } finally {
    await extism.close();
  }
}

// The contenders.

function bareAdd(): Contender {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(ADD));
  const add = exports["add"] as (a: number, b: number) => number;
  const call = async (a: number, b: number): Promise<number> => add(a, b);
  return {
    name: BARE,
    async run(times) {
      for (let n = 0; n < times; n++) if ((await call(20, 22)) !== 42) throw new Error("wrong");
    },
  };
}

function keelsonAdd(kernel: Kernel): Contender {
  return {
    name: OURS,
    async run(times) {
      for (let n = 0; n < times; n++)
        if ((await kernel.invoke("add", "add", [20, 22])) !== 42) throw new Error("wrong");
    },
  };
}

/** What no host can do without: write, call, copy. */
function bareEcho(bytes: Uint8Array): Contender {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(ECHO));
  const memory = new Uint8Array((exports["memory"] as WebAssembly.Memory).buffer);
  const echo = exports["keelson_call"] as (
    m: number,
    ml: number,
    kind: number,
    p: number,
    pl: number,
  ) => number;
  const call = async (input: Uint8Array): Promise<Uint8Array> => {
    memory.set(input, 4096);
    echo(0, 0, 1, 4096, input.length);
    return memory.slice(4096, 4096 + input.length);
  };
  return {
    name: BARE,
    async run(times) {
      for (let n = 0; n < times; n++) check(await call(bytes), bytes);
    },
  };
}

function keelsonEcho(kernel: Kernel, bytes: Uint8Array, id = "echo"): Contender {
  return {
    name: OURS,
    async run(times) {
      for (let n = 0; n < times; n++) check((await kernel.invoke(id, "echo", bytes)) as Uint8Array, bytes);
    },
  };
}

interface ExtismPlugin {
  call(method: string, input: Uint8Array): Promise<DataView | null>;
  reset(): Promise<boolean>;
  close(): Promise<void>;
}

async function openExtism(): Promise<ExtismPlugin> {
  // Its types want the DOM library.
  const { createPlugin } = (await import("@extism/extism" as string)) as {
    createPlugin(source: unknown, options: unknown): Promise<ExtismPlugin>;
  };
  return createPlugin({ wasm: [{ data: EXTISM_ECHO }] }, { useWasi: false });
}

function extismEcho(plugin: ExtismPlugin, method: string, bytes: Uint8Array): Contender {
  return {
    name: EXTISM,
    async run(times) {
      for (let n = 0; n < times; n++) {
        check(new Uint8Array((await plugin.call(method, bytes))?.buffer ?? new ArrayBuffer(0)), bytes);
        await plugin.reset();
      }
    },
  };
}

function check(answer: Uint8Array, bytes: Uint8Array): void {
  if (answer.length !== bytes.length) throw new Error(`${answer.length} bytes instead of ${bytes.length}`);
}

async function startKernel(): Promise<Kernel> {
  const kernel = await createKernel();
  await kernel.register(wasmModule({ id: "add", source: ADD, metering: "off", pool: { min: 1 } }));
  const limits = { fuel: 1_000_000, cpuMs: 50 };
  // Extism's calls are not limited either; what limits cost stands in a row of its own.
  await kernel.register(wasmModule({ id: "echo", source: ECHO, metering: "off", pool: { min: 1 } }));
  await kernel.register(wasmModule({ id: "governed-echo", source: ECHO, limits, pool: { min: 1 } }));
  await kernel.start();
  return kernel;
}
