import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

import { afterEach, describe, expect, it } from "vitest";

import { attach, meter, type MeterOptions } from "../../src/meter/index.ts";
import { FuelHost } from "./harness.ts";

// Real programs with the glue they were published with: the glue calls WebAssembly.instantiate, and does not notice
// that what it gets is metered.

const require = createRequire(import.meta.url);
const original = WebAssembly.instantiate;
afterEach(() => {
  WebAssembly.instantiate = original;
});

type Instantiate = (source: unknown, imports: WebAssembly.Imports) => Promise<unknown>;

/** Meters whatever is instantiated from now on; `undefined` stops doing so. */
function meterAll(options: MeterOptions | undefined): FuelHost {
  const host = new FuelHost(1e12, 500_000);
  const instantiate: Instantiate = async (source, imports) => {
    if (!options) return await (original as unknown as Instantiate)(source, imports);
    const bytes = new Uint8Array(source as ArrayBuffer);
    const metered = meter(bytes, options);
    const module = await WebAssembly.compile(metered.bytes);
    const instance = await (original as unknown as Instantiate)(module, imports);
    const attached = attach(instance as WebAssembly.Instance, metered.meta, host.refill);
    attached.depth = metered.meta.stackBytes;
    attached.start();
    return { module, instance };
  };
  (WebAssembly as { instantiate: unknown }).instantiate = instantiate;
  return host;
}

const capped: MeterOptions = {
  mode: "exact",
  stackBytes: 512 * 1024,
  memoryBytes: 1024 * 2 ** 20,
  tableElements: 100_000,
};
const ways: readonly MeterOptions[] = [{ mode: "deadline" }, { ...capped, mode: "deadline" }, capped];

/** Runs a program plain and metered each way; the outputs have to be equal, and the guest has to have been asked. */
async function same(program: () => Promise<unknown>, options: readonly MeterOptions[] = ways): Promise<void> {
  meterAll(undefined);
  const expected = await program();
  for (const way of options) {
    const host = meterAll(way);
    expect(await program()).toEqual(expected);
    expect(host.asked[0]).toBeGreaterThan(0);
    expect(host.stopped).toBeUndefined();
  }
}

describe("real programs do the same work metered", () => {
  it("sql.js answers a few hundred queries", async () => {
    type Database = {
      run(sql: string, params?: unknown[]): void;
      exec(sql: string): unknown;
      export(): Uint8Array;
    };
    const initialise = require("sql.js") as () => Promise<{ Database: new () => Database }>;
    await same(async () => {
      // the glue keeps its module in the function's cache of modules: each time a new one is wanted
      for (const path of Object.keys(require.cache)) if (path.includes("sql.js")) delete require.cache[path];
      const fresh = require("sql.js") as typeof initialise;
      const { Database } = await fresh();
      const database = new Database();
      database.run("create table t (id integer primary key, name text, score real)");
      for (let id = 0; id < 200; id++) {
        database.run("insert into t values (?, ?, ?)", [id, `name ${id % 17}`, Math.sin(id)]);
      }
      const results = [];
      for (let id = 0; id < 100; id++) {
        results.push(
          database.exec(`select count(*), max(score), group_concat(name) from t where id % ${id + 1} = 0`),
        );
      }
      results.push(
        database.exec("select a.name, sum(b.score) from t a join t b on a.id < b.id group by 1 order by 2"),
      );
      return [results, [...database.export()].slice(0, 4000)];
    });
  });

  it("quickjs runs a script", async () => {
    const { newQuickJSWASMModuleFromVariant, RELEASE_SYNC, newVariant } = await import("quickjs-emscripten");
    await same(async () => {
      const quickjs = await newQuickJSWASMModuleFromVariant(newVariant(RELEASE_SYNC, {}));
      return quickjs.evalCode(`
        const primes = [];
        for (let n = 2; primes.length < 500; n++) if (primes.every((p) => n % p)) primes.push(n);
        class A { constructor(x) { this.x = x } get y() { return this.x * 2 } }
        const text = JSON.stringify(primes.map((p) => new A(p).y)).replace(/[13579]+/g, (m) => "<" + m + ">");
        let caught = 0;
        for (let i = 0; i < 100; i++) try { null.x } catch { caught++ }
        function deep(n) { return n ? 1 + deep(n - 1) : 0 }
        text + caught + deep(100) + [3, 1, 2].sort() + new Map([[1, 2]]).get(1)`);
    });
  });

  it("esbuild, which is written in Go, minifies a file", async () => {
    const folder = new URL("../../node_modules/esbuild-wasm/", import.meta.url);
    const bytes = readFileSync(new URL("esbuild.wasm", folder));
    const glue = readFileSync(new URL("wasm_exec.js", folder), "utf8");
    const input = readFileSync(new URL("./harness.ts", import.meta.url));
    interface Go {
      argv: string[];
      importObject: WebAssembly.Imports;
      exit(code: number): void;
      run(instance: WebAssembly.Instance): Promise<void>;
    }
    await same(async () => {
      let output = "";
      let read = 0;
      const later = (done: (...args: unknown[]) => void, ...args: unknown[]): void =>
        queueMicrotask(() => done(...args));
      const fs = {
        constants: {
          O_WRONLY: 1,
          O_RDWR: 2,
          O_CREAT: 64,
          O_TRUNC: 512,
          O_APPEND: 1024,
          O_EXCL: 128,
          O_DIRECTORY: 65_536,
        },
        writeSync(_fd: number, chunk: Uint8Array): number {
          output += new TextDecoder().decode(chunk);
          return chunk.length;
        },
        write(
          _fd: number,
          chunk: Uint8Array,
          offset: number,
          length: number,
          _at: unknown,
          done: never,
        ): void {
          output += new TextDecoder().decode(chunk.subarray(offset, offset + length));
          later(done, null, length);
        },
        read(
          _fd: number,
          target: Uint8Array,
          offset: number,
          length: number,
          _at: unknown,
          done: never,
        ): void {
          const chunk = input.subarray(read, read + length);
          target.set(chunk, offset);
          read += chunk.length;
          later(done, null, chunk.length);
        },
        fsync: (_fd: number, done: never) => later(done, null),
      };
      const scope = {
        fs,
        process: {
          getuid: () => -1,
          pid: 1,
          ppid: 1,
          umask: () => 0,
          cwd: () => "/",
          platform: "linux",
          arch: "wasm",
        },
        path: { resolve: (...parts: string[]) => parts.join("/") },
        performance,
        crypto,
        TextEncoder,
        TextDecoder,
        setTimeout,
        clearTimeout,
        Uint8Array,
        Object,
        Array,
        Date,
      } as Record<string, unknown>;
      // the glue talks to "globalThis": it gets a global object of its own
      scope["globalThis"] = scope;
      new Function("globalThis", glue)(scope);
      const go = new (scope["Go"] as new () => Go)();
      go.argv = ["esbuild", "--minify", "--loader=ts", "--log-level=warning"];
      go.exit = (code) => void (output += `exit ${code}`);
      const { instance } = (await (WebAssembly.instantiate as unknown as Instantiate)(
        bytes,
        go.importObject,
      )) as {
        instance: WebAssembly.Instance;
      };
      await go.run(instance);
      expect(output).toContain("FuelHost");
      return output;
    }, [capped]);
  }, 90_000);

  it("a codec of jSquash, which is written in Rust, encodes and decodes an image", async () => {
    const folder = new URL("codec/pkg/", pathToFileURL(require.resolve("@jsquash/png/package.json")));
    const bytes = readFileSync(new URL("squoosh_png_bg.wasm", folder));
    // the glue keeps its instance in a variable: each time it is evaluated anew
    const glue = readFileSync(new URL("squoosh_png.js", folder), "utf8")
      .replaceAll(/^export (function|class|async function) /gm, "$1 ")
      .replaceAll(/^export (\{.*\}|default .*);?$/gm, "")
      .replaceAll("import.meta.url", "address");
    interface Codec {
      init(bytes: Uint8Array): Promise<void>;
      encode(pixels: Uint8Array, width: number, height: number, depth: number): Uint8Array;
      decode(png: Uint8Array): { readonly data: Uint8ClampedArray };
    }
    class ImageData {
      readonly data: Uint8ClampedArray;
      constructor(data: Uint8ClampedArray) {
        this.data = data;
      }
    }
    const load = new Function(
      "globalThis",
      "ImageData",
      "let address = 'file:///';" + glue + "; return { init: __wbg_init, encode, decode };",
    ) as (scope: object, data: unknown) => Codec;
    const width = 200;
    const height = 150;
    const pixels = Uint8Array.from({ length: width * height * 4 }, (_, at) =>
      at % 4 === 3 ? 255 : Math.round(127 + 100 * Math.sin(at / 97) + 20 * Math.cos((at * at) / 7001)),
    );
    await same(async () => {
      const codec = load({ ImageData }, ImageData);
      await codec.init(bytes);
      const png = codec.encode(pixels, width, height, 8);
      const { data } = codec.decode(png);
      expect(Buffer.compare(new Uint8Array(data), pixels)).toBe(0);
      return Buffer.from(png).toString("base64");
    });
  });

  it("a tree-sitter grammar, which is linked at run time, parses files of this repository", async () => {
    interface Parsing {
      readonly Parser: {
        init(options: { wasmBinary: Uint8Array }): Promise<void>;
        new (): { setLanguage(language: unknown): void; parse(text: string): { rootNode: object } };
      };
      readonly Language: { load(bytes: Uint8Array): Promise<unknown> };
    }
    const folder = new URL("../../node_modules/@vscode/tree-sitter-wasm/wasm/", import.meta.url);
    const runtime = readFileSync(new URL("tree-sitter.wasm", folder));
    const grammar = readFileSync(new URL("tree-sitter-typescript.wasm", folder));
    const files = [
      "meter/scan/scan-function.ts",
      "meter/write/emit.ts",
      "governor/governor.ts",
      "index.ts",
    ].map((name) => readFileSync(new URL(`../../src/${name}`, import.meta.url), "utf8"));
    await same(async () => {
      for (const path of Object.keys(require.cache))
        if (path.includes("tree-sitter-wasm")) delete require.cache[path];
      const { Parser, Language } = require("@vscode/tree-sitter-wasm") as Parsing;
      await Parser.init({ wasmBinary: new Uint8Array(runtime) });
      const parser = new Parser();
      parser.setLanguage(await Language.load(new Uint8Array(grammar)));
      const trees = files.map((text) => String(parser.parse(text).rootNode));
      for (const tree of trees) expect(tree).toContain("(program");
      return trees;
    });
  }, 60_000);
});
