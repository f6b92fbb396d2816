/**
 * Calls one guest that never returns, in a process that will be killed:
 *
 *     runaway.ts <contender> <shape>
 *
 * Prints `begin`, or `failed` when it does not come to that, then `end <ms>` if the call ends, then
 * `cpu <cores>`: what the process uses half a second later, when nothing should run any more.
 */
import { performance } from "node:perf_hooks";
import process from "node:process";
import { createKernel, wasmModule } from "keelson";
import { assembleShape, shapes } from "../../../packages/wasm/test/meter/shapes.ts";

/** What a call may take, ms. */
const TIME_MS = 200;
/** When a call that has not ended is given up, ms. */
const PENDING_MS = 1500;

type Attempt = (bytes: Uint8Array<ArrayBuffer>) => Promise<unknown>;

interface ExtismPlugin {
  call(method: string): Promise<unknown>;
  close(): Promise<void>;
}

async function createExtism(name: string, bytes: Uint8Array, runInWorker: boolean): Promise<ExtismPlugin> {
  // Its types want the DOM library.
  const { createPlugin } = (await import(name)) as {
    createPlugin(source: unknown, options: unknown): Promise<ExtismPlugin>;
  };
  const options = { useWasi: false, runInWorker, ...(runInWorker && { timeoutMs: TIME_MS }) };
  return createPlugin({ wasm: [{ data: bytes }] }, options);
}

const attempts: Readonly<Record<string, Attempt>> = {
  async keelson(bytes) {
    await using kernel = await createKernel();
    await kernel.register(wasmModule({ id: "guest", source: bytes, abi: "raw", limits: { cpuMs: TIME_MS } }));
    await kernel.start();
    begin();
    await kernel.invoke("guest", "f").finally(end);
  },
  async inline(bytes) {
    begin();
    const plugin = await createExtism("@extism/extism", bytes, false);
    await plugin.call("f").finally(end);
  },
  /** This version knows no time-out: the host's own timer closes the plugin. */
  async worker(bytes) {
    const plugin = await createExtism("@extism/extism", bytes, true);
    begin();
    const timer = setTimeout(() => void plugin.close().catch(() => {}), TIME_MS);
    await plugin.call("f").finally(end);
    clearTimeout(timer);
  },
  async next(bytes) {
    const plugin = await createExtism("extism-next", bytes, true);
    begin();
    await plugin.call("f").finally(end);
  },
};

let began = 0;
function begin(): void {
  began = performance.now();
  console.log("begin");
}

function end(): void {
  console.log(`end ${performance.now() - began}`);
}

/**
 * Of a process that has been left alone for a while. What burns, burns on; an engine that tidies up its memory, as Bun's does about
 * then, is done a moment later.
 */
async function coresInUse(): Promise<number> {
  await new Promise((done) => setTimeout(done, 500));
  const cores = await coresWithin(250);
  return cores > 0.05 ? Math.min(cores, await coresWithin(250)) : cores;
}

async function coresWithin(ms: number): Promise<number> {
  const before = process.cpuUsage();
  const from = performance.now();
  await new Promise((done) => setTimeout(done, ms));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - from);
}

const [contender = "", name = ""] = process.argv.slice(2);
const shape = shapes.find((one) => one.name === name);
const attempt = attempts[contender];
if (shape === undefined || attempt === undefined) throw new RangeError(`no ${contender} or "${name}"`);
const bytes = await assembleShape(shape);
// A stop is an error, and a call that stays pending is given up.
await Promise.race([
  attempt(bytes).catch(() => {
    if (began === 0) console.log("failed");
  }),
  new Promise((done) => setTimeout(done, PENDING_MS)),
]);
console.log(`cpu ${await coresInUse()}`);
