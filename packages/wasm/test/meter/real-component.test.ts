import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { isKeelsonError } from "@keelson/core";
import { describe, expect, it } from "vitest";
import { Governor, meter, type MeterMeta, type MeterOptions } from "../../src/index.ts";

// A component, with the glue that jco made of it. Several core modules share its memory and its tables, and one governor
// has all of them in hand.

/** What the component exports: a part of wasm-tools. */
interface Tools {
  print(bytes: Uint8Array): string;
  parse(text: string): Uint8Array;
}

type Ways = "plain" | MeterOptions;

const require = createRequire(import.meta.url);
const folder = new URL(".", pathToFileURL(require.resolve("@bytecodealliance/jco-transpile/component")));
// The glue loads its modules and keeps its instances when it is evaluated: that is to happen anew each time.
const glue = readFileSync(new URL("wasm-tools.js", folder), "utf8")
  .replaceAll(
    /^import \{(.*)\} from '.*\/(.*)';$/gm,
    (_, names: string, from: string) =>
      `const {${names.replaceAll(" as ", ": ")}} = wasi[${JSON.stringify(from)}];`,
  )
  .replaceAll(/^export (const|function|class) /gm, "$1 ")
  .replaceAll(/^export \{.*$/gm, "")
  .replaceAll("import.meta.url", "address");
const evaluate = new Function(
  ...["WebAssembly", "wasi", "address", "process", "fetch"],
  `"use strict";${glue};return { ready: $init, tools };`,
) as (...args: unknown[]) => { readonly ready: Promise<void>; readonly tools: Tools };

/** WASI for a program that computes: each function that it may call besides these is absent. */
function wasi(): Record<string, unknown> {
  const resource = (): unknown => class {};
  const absent = (given: Record<string, unknown>): unknown =>
    new Proxy(given, {
      get: (target, name) =>
        target[name as string] ??
        (/^[A-Z]/.test(String(name))
          ? resource()
          : () => {
              throw new Error(`the component called ${String(name)}`);
            }),
    });
  const names = (given: Record<string, unknown>): unknown =>
    new Proxy(given, { get: (target, name) => target[name as string] ?? absent({}) });
  return {
    cli: names({ environment: absent({ getEnvironment: () => [] }) }),
    filesystem: names({}),
    io: names({}),
    random: names({ random: absent({ getRandomBytes: (length: bigint) => new Uint8Array(Number(length)) }) }),
  };
}

interface Opened {
  readonly tools: Tools;
  readonly governor: Governor;
  /** How many core modules the component consists of. */
  readonly modules: number;
}

async function open(way: Ways): Promise<Opened> {
  const governor = new Governor({ clock: performance });
  const metas = new Map<WebAssembly.Module, MeterMeta>();
  let modules = 0;
  const compile = async (bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> => {
    if (way === "plain") return await WebAssembly.compile(bytes);
    const metered = meter(bytes, way);
    const module = await WebAssembly.compile(metered.bytes);
    metas.set(module, metered.meta);
    return module;
  };
  const engine = {
    compile,
    compileStreaming: compile,
    instantiate: async (module: WebAssembly.Module, imports: WebAssembly.Imports) => {
      const instance = await WebAssembly.instantiate(module, imports);
      modules++;
      const meta = metas.get(module);
      if (meta !== undefined) {
        governor.adopt(instance, meta);
        governor.start({});
      }
      return instance;
    },
  };
  const { ready, tools } = evaluate(
    Object.setPrototypeOf(engine, WebAssembly),
    wasi(),
    folder.href,
    undefined,
    async (url: URL) => new Uint8Array(readFileSync(url)),
  );
  await ready;
  return { tools, governor, modules };
}

const caps = { stackBytes: 512 * 1024, memoryBytes: 256 * 2 ** 20, tableElements: 100_000 } as const;
const module = readFileSync(new URL("wasm-tools.core2.wasm", folder));

/** Prints a module as text, and makes it of that text again. */
function work(tools: Tools): { readonly text: string; readonly bytes: string } {
  const text = tools.print(module);
  return { text, bytes: Buffer.from(tools.parse(text)).toString("base64") };
}

describe("a component does the same work metered", () => {
  it("wasm-tools, transpiled by jco, prints a module and parses what it printed", async () => {
    const plain = await open("plain");
    const expected = work(plain.tools);
    expect(expected.text).toContain("(module");
    for (const mode of ["deadline", "exact"] as const) {
      const { tools, governor, modules } = await open({ mode, ...caps });
      expect(modules).toBe(4);
      expect(governor.run({ fuel: mode === "exact" ? 1e10 : undefined }, () => work(tools))).toEqual(
        expected,
      );
      expect(governor.usage.fuel).toBeGreaterThan(1_000_000);
      expect(governor.usage.memoryPeakBytes).toBeGreaterThan(1_000_000);
    }
  }, 60_000);

  it("and is stopped whichever of its core modules runs", async () => {
    const { tools, governor } = await open({ mode: "exact", ...caps });
    const stopped: unknown = await Promise.resolve()
      .then(() => governor.run({ fuel: 100_000 }, () => work(tools)))
      .catch((error: unknown) => error);
    expect(isKeelsonError(stopped, "FUEL_EXHAUSTED")).toBe(true);
    expect(governor.dead).toBe(true);
    expect(() => governor.run({}, () => work(tools))).toThrow();
  }, 60_000);
});
