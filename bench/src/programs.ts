import { createRequire } from "node:module";

/** A program's whole work, once. */
export type Run = () => void;

/** Compiles a module, and answers it with what is to be done to its instances before they run. */
export type Compile = (
  bytes: Uint8Array,
) => Promise<readonly [WebAssembly.Module, (instance: WebAssembly.Instance) => void]>;

const require = createRequire(import.meta.url);

/** Loads sql.js, its module compiled as told, for some thousand queries. */
export async function sqlite(compile: Compile): Promise<Run> {
  type Database = { run(sql: string, params?: unknown[]): void; exec(sql: string): unknown; close(): void };
  // The glue keeps its module in the function's cache of modules: each time a new one is wanted.
  for (const path of Object.keys(require.cache)) if (path.includes("sql.js")) delete require.cache[path];
  const initialise = require("sql.js") as () => Promise<{ Database: new () => Database }>;
  const { Database } = await withCompile(compile, initialise);
  return () => {
    const database = new Database();
    database.run("create table t (id integer primary key, name text, score real)");
    for (let id = 0; id < 500; id++) {
      database.run("insert into t values (?, ?, ?)", [id, `name ${id % 17}`, id / 3]);
    }
    for (let id = 1; id < 60; id++) {
      database.exec(`select count(*), group_concat(name) from t where id % ${id} = 0`);
    }
    database.exec("select a.name, sum(b.score) from t a join t b on a.id < b.id group by 1 order by 2");
    database.close();
  };
}

/** Loads quickjs, its module compiled as told, for a script of loops, strings and JSON. */
export async function quickjs(compile: Compile): Promise<Run> {
  const { newQuickJSWASMModuleFromVariant, RELEASE_SYNC, newVariant } = await import("quickjs-emscripten");
  const module = await withCompile(compile, () =>
    newQuickJSWASMModuleFromVariant(newVariant(RELEASE_SYNC, {})),
  );
  return () => {
    module.evalCode(`
      const primes = [];
      for (let n = 2; primes.length < 1500; n++) if (primes.every((p) => n % p)) primes.push(n);
      let text = "";
      for (const p of primes) text += JSON.stringify({ p, q: [p * 2] }).replace(/1/g, "one");
      text.length`);
  };
}

/** The glue calls `WebAssembly.instantiate`, and does not notice what it gets. */
async function withCompile<T>(compile: Compile, load: () => Promise<T>): Promise<T> {
  const original = WebAssembly.instantiate;
  const replaced = async (
    source: ArrayBuffer | Uint8Array,
    imports: WebAssembly.Imports,
  ): Promise<unknown> => {
    const bytes = ArrayBuffer.isView(source)
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);
    const [module, prepare] = await compile(bytes);
    const instance = await original(module, imports);
    prepare(instance);
    return { module, instance };
  };
  (WebAssembly as { instantiate: unknown }).instantiate = replaced;
  try {
    return await load();
  } finally {
    WebAssembly.instantiate = original;
  }
}
