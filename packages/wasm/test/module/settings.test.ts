import type { Manifest } from "@keelson/core";
import { describe, expect, test } from "vitest";
import { wasmModule, type WasmModuleOptions } from "../../src/index.ts";
import { settle, type WasmSettings } from "../../src/module/settings.ts";
import { failure } from "../support/errors.ts";
import { wat } from "../support/wat.ts";

const SOURCE = wat("(module)");
const base = new URL("file:///plugins/one/manifest.json");
const MANIFEST: Manifest = {
  apiVersion: "keelson/v1",
  id: "one",
  name: "One",
  version: "1.2.3",
  description: "a text",
  kind: "wasm",
  entry: "one.wasm",
  abi: "oxide",
  integrity: `sha256-${"A".repeat(43)}=`,
  capabilities: [],
  limits: { memory: 1_000_000, fuel: 2000, cpuMs: 30 },
  hooks: [],
  routes: [],
  depends: { other: "^1.0.0" },
  restart: { policy: "always" },
  overlap: false,
};
const { description: _d, abi: _a, integrity: _i, restart: _r, overlap: _o, ...BARE } = MANIFEST;
const bare: Manifest = { ...BARE, limits: {}, depends: {} };

const settled = (options: WasmModuleOptions): WasmSettings => settle({ source: SOURCE, ...options });

describe("what an option says goes before what the manifest says, and that before the default:", () => {
  test.each<[keyof WasmSettings, WasmModuleOptions, said: unknown, ofManifest: unknown, byDefault: unknown]>([
    ["id", { id: "mine" }, "mine", "one", "one"],
    ["abi", { abi: "raw" }, "raw", "oxide", undefined],
    ["integrity", { integrity: "sha256-x" }, "sha256-x", MANIFEST.integrity, undefined],
    ["maxMemoryBytes", { limits: { memory: 0 } }, 0, 1_000_000, 64 * 2 ** 20],
    ["fuel", { limits: { fuel: 1 } }, 1, 2000, undefined],
    ["cpuMs", { limits: { cpuMs: 0.5 } }, 0.5, 30, 50],
    ["stackBytes", { limits: { stack: 1024 } }, 1024, 512 * 1024, 512 * 1024],
    ["maxInstances", { limits: { instances: 1 } }, 1, 1000, 1000],
    ["maxTableElements", { limits: { tableElements: 0 } }, 0, 1_000_000, 1_000_000],
    ["codeLimits", { limits: { code: { maxBytes: 1 } } }, { maxBytes: 1 }, {}, {}],
    ["metering", { metering: "deadline" }, "deadline", "exact", "exact"],
    ["scheduling", { scheduling: "sliced" }, "sliced", "exclusive", "exclusive"],
    ["state", { state: "fresh" }, "fresh", "keep", "keep"],
    ["offsets", { offsets: true }, true, false, false],
  ])("%s", (name, options, said, ofManifest, byDefault) => {
    expect(settled({ manifest: MANIFEST, ...options })[name]).toEqual(said);
    expect(settled({ manifest: MANIFEST })[name]).toEqual(ofManifest);
    expect(settled({ manifest: bare })[name]).toEqual(byDefault);
  });

  test("a module without a manifest has no limit of running time", () => {
    expect(settled({ id: "x" }).cpuMs).toBeUndefined();
    expect(settled({ id: "x", limits: { cpuMs: 7 } }).cpuMs).toBe(7);
  });

  test("metadata, and what the kernel does with the module", () => {
    const options = {
      name: "Mine",
      description: "mine",
      version: "9.0.0",
      depends: { third: "*" },
      restart: { policy: "never" },
      overlap: true,
      deadlines: { startMs: 5 },
      quarantine: false,
    } as const;
    const all = wasmModule({ source: SOURCE, manifest: MANIFEST, ...options });
    const { name, description, version, ...rest } = options;
    expect(all.metadata).toEqual({ id: "one", kind: "wasm", name, description, version });
    expect(all).toMatchObject({ ...rest, manifest: MANIFEST });
    const { create: _, ...least } = wasmModule({ source: SOURCE, id: "x" });
    expect(least).toEqual({ metadata: { id: "x", name: "x", version: "0.0.0", kind: "wasm" }, depends: {} });
  });

  test("the source, which then need not lie in the manifest's folder", () => {
    const { source: ofManifest, within } = settle({ manifest: MANIFEST, base });
    expect([String(ofManifest), String(within)]).toEqual([
      "file:///plugins/one/one.wasm",
      "file:///plugins/one/",
    ]);
    const own = settle({ manifest: MANIFEST, base, source: "./other.wasm" });
    expect([own.source, own.within]).toEqual(["./other.wasm", undefined]);
    const bareFile = settle({ manifest: MANIFEST, base: new URL("file:///plugins/one/one.wasm") });
    expect([String(bareFile.source), bareFile.within]).toEqual(["file:///plugins/one/one.wasm", undefined]);
  });
});

test.each<
  [metering: WasmModuleOptions["metering"], limits: WasmModuleOptions["limits"], unenforced: string[]]
>([
  ["exact", { fuel: 1, cpuMs: 1 }, []],
  ["deadline", { fuel: 1, cpuMs: 1 }, ["fuel"]],
  ["off", { fuel: 1, cpuMs: 1 }, ["fuel", "cpuMs"]],
  ["off", { cpuMs: 1 }, ["cpuMs"]],
  ["off", {}, []],
])("with metering %j of %j is not enforced: %j", (metering, limits, unenforced) => {
  const found = settled({ id: "x", metering, limits } as WasmModuleOptions);
  expect(found.unenforced).toEqual(unenforced);
  expect(found.fuel).toBe(metering === "exact" ? limits?.fuel : undefined);
});

test("a module given compiled is not metered, and says so when it should be", async () => {
  const source = new WebAssembly.Module(SOURCE);
  for (const metering of [undefined, "off"] as const) {
    const found = settle({ id: "x", source, ...(metering === undefined ? {} : { metering }) });
    expect([found.metering, found.compiled, found.source]).toEqual(["off", source, undefined]);
  }
  for (const metering of ["exact", "deadline"] as const)
    await failure("INVALID_OPTIONS", () => settle({ id: "x", source, metering }));
});

test.each<[why: string, options: unknown]>([
  ["memory below nothing", { limits: { memory: -1 } }],
  ["no instance", { limits: { instances: 0 } }],
  ["no fuel", { limits: { fuel: 0 } }],
  ["half a unit of fuel", { limits: { fuel: 1.5 } }],
  ["no time", { limits: { cpuMs: 0 } }],
  ["time as text", { limits: { cpuMs: "5" } }],
  ["time that is no number", { limits: { cpuMs: Number.NaN } }],
  ["a stack of less than 1 KiB", { limits: { stack: 1023 } }],
  ["elements below nothing", { limits: { tableElements: -1 } }],
  ["no byte of code", { limits: { code: { maxBytes: 0 } } }],
  ["a limit of code that is not known", { limits: { code: { bytes: 1 } } }],
  ["a limit that is not known", { limits: { timeoutMs: 1 } }],
  ["another metering", { metering: "on" }],
  ["another scheduling", { scheduling: "fair" }],
  ["slices of what nothing stops", { scheduling: "sliced", metering: "off" }],
  ["another state", { state: "new" }],
  ["an id that is no text", { id: 5 }],
  ["imports that are no object", { imports: "host" }],
  ["a pool that is none", { pool: 4 }],
])("%s is INVALID_OPTIONS", async (_, options) => {
  await failure("INVALID_OPTIONS", () => settled({ id: "x", ...(options as WasmModuleOptions) }));
  settled({ id: "x", imports: () => ({}) });
});
