// What metering costs real programs: sql.js and quickjs, in processor time, exact + stack + caps against plain.
//   node packages/wasm/test/meter/bench/programs.ts
import { createRequire } from "node:module";

import { attach, meter, type MeterOptions } from "../../../src/meter/index.ts";
import { FuelHost } from "../harness.ts";

const require = createRequire(import.meta.url);
const original = WebAssembly.instantiate as unknown as (
  source: unknown,
  imports: unknown,
) => Promise<unknown>;
const options: MeterOptions = {
  mode: "exact",
  stackBytes: 512 * 1024,
  memoryBytes: 1024 * 2 ** 20,
  tableElements: 100_000,
};

function instrument(metered: boolean): void {
  const host = new FuelHost(1e15, 100_000);
  (WebAssembly as { instantiate: unknown }).instantiate = async (source: ArrayBuffer, imports: unknown) => {
    if (!metered) return await original(source, imports);
    const { bytes, meta } = meter(new Uint8Array(source), options);
    const module = await WebAssembly.compile(bytes);
    const instance = (await original(module, imports)) as WebAssembly.Instance;
    attach(instance, meta, host.refill).depth = meta.stackBytes;
    return { module, instance };
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

type Program = () => () => void;

async function sqlite(): Promise<Program> {
  for (const path of Object.keys(require.cache)) if (path.includes("sql.js")) delete require.cache[path];
  type Database = { run(sql: string, params?: unknown[]): void; exec(sql: string): unknown; close(): void };
  const { Database } = await (require("sql.js") as () => Promise<{ Database: new () => Database }>)();
  return () => () => {
    const database = new Database();
    database.run("create table t (id integer primary key, name text, score real)");
    for (let id = 0; id < 1000; id++)
      database.run("insert into t values (?, ?, ?)", [id, `name ${id % 17}`, id / 3]);
    for (let id = 1; id < 60; id++)
      database.exec(`select count(*), group_concat(name) from t where id % ${id} = 0`);
    database.exec("select a.name, sum(b.score) from t a join t b on a.id < b.id group by 1 order by 2");
    database.close();
  };
}

async function quickjs(): Promise<Program> {
  const { newQuickJSWASMModuleFromVariant, RELEASE_SYNC, newVariant } = await import("quickjs-emscripten");
  const module = await newQuickJSWASMModuleFromVariant(newVariant(RELEASE_SYNC, {}));
  return () => () => {
    module.evalCode(`
      const primes = [];
      for (let n = 2; primes.length < 1500; n++) if (primes.every((p) => n % p)) primes.push(n);
      let text = "";
      for (const p of primes) text += JSON.stringify({ p, q: [p * 2] }).replace(/1/g, "one");
      text.length`);
  };
}

for (const [name, load] of [
  ["sql.js", sqlite],
  ["quickjs", quickjs],
] as const) {
  const runs: (() => void)[] = [];
  for (const metered of [false, true]) {
    instrument(metered);
    runs.push((await load())());
  }
  for (const run of runs) for (let warm = 0; warm < 3; warm++) run();
  const best = runs.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < Number(process.env["ROUNDS"] ?? 10); round++) {
    for (const [index, run] of runs.entries()) {
      const start = cpuMs();
      run();
      best[index] = Math.min(best[index]!, cpuMs() - start);
    }
  }
  console.log(
    `${name}: plain ${best[0]!.toFixed(1)} ms, metered ${best[1]!.toFixed(1)} ms, ratio ${(best[1]! / best[0]!).toFixed(2)}`,
  );
}
