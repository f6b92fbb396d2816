import type { Manifest } from "@keelson/core";
import { createTestPlatform } from "@keelson/core/testing";
import { describe, expect, test } from "vitest";
import { toBase64 } from "../../src/cache/digest.ts";
import { wasmLoader } from "../../src/module/loader.ts";
import { wasmModule } from "../../src/module/wasm-module.ts";
import { failure } from "../support/errors.ts";
import { open } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

const ONE = wat(`(module (func (export "n") (result i32) (i32.const 1)))`);

function manifestOf(fields: Partial<Manifest> = {}): Manifest {
  return {
    apiVersion: "keelson/v1",
    id: "one",
    name: "One",
    version: "1.2.3",
    kind: "wasm",
    entry: "one.wasm",
    capabilities: [],
    limits: {},
    hooks: [],
    routes: [],
    depends: {},
    ...fields,
  };
}

describe("a source", () => {
  test("may be bytes, a path, a URL or a compiled module", async () => {
    const platform = createTestPlatform();
    platform.files.put("/plugins/one.wasm", ONE);
    const sources = [
      ONE,
      "/plugins/one.wasm",
      "file:///plugins/one.wasm",
      new URL("file:///plugins/one.wasm"),
      new WebAssembly.Module(ONE),
    ];
    for (const source of sources) expect((await open({ source }, platform)).call("n")).toBe(1);
  });

  test("that is not there is NOT_FOUND; one that is no file URL, or a platform without files, is UNSUPPORTED", async () => {
    await failure("NOT_FOUND", () => open({ source: "/none.wasm" }));
    await failure("UNSUPPORTED", () => open({ source: new URL("https://example.org/x.wasm") }));
    const { files: _, ...bare } = createTestPlatform();
    await failure("UNSUPPORTED", () => open({ source: "/x.wasm" }, bare as never));
  });

  test("is not read when it is larger than `limits.code` allows, a folder, or a pipe or a device that may never end", async () => {
    const platform = createTestPlatform();
    platform.files.put("/one.wasm", ONE);
    const { files } = platform;
    let kind: "file" | "folder" | "other" = "file";
    const stat = { bytes: 2 ** 40, modified: 0 };
    const guarded = {
      resolve: files.resolve.bind(files),
      stat: async () => ({ ...stat, kind }),
      read: () => expect.fail("it was read"),
    };
    const on = { ...platform, files: guarded as never };
    await failure("WASM_TOO_LARGE", () => open({ source: "/one.wasm" }, on));
    const code = { maxBytes: ONE.length - 1 };
    await failure("WASM_TOO_LARGE", () => open({ source: "/one.wasm", limits: { code } }, platform));
    kind = "other";
    await failure("IO", () => open({ source: "/one.wasm" }, on));
    await failure("IO", () => open({ source: "/one.wasm", metering: "off" }, on));
    kind = "folder";
    expect((await failure("IO", () => open({ source: "/one.wasm" }, on))).hint).toContain("file in it");
  });

  test("with an integrity must be the file that it names", async () => {
    const integrity = `sha256-${toBase64(new Uint8Array(await crypto.subtle.digest("SHA-256", ONE)))}`;
    expect((await open({ source: ONE, integrity })).call("n")).toBe(1);
    const other = wat(`(module (func (export "n") (result i32) (i32.const 2)))`);
    await failure("INVALID_WASM", () => open({ source: other, integrity }));
  });

  test("through a manifest must lie in the plugin's folder, symbolic links resolved", async () => {
    const platform = createTestPlatform();
    platform.files.put("/plugins/one/one.wasm", ONE);
    platform.files.put("/elsewhere/one.wasm", ONE);
    const base = new URL("file:///plugins/one/manifest.json");
    expect((await open({ manifest: manifestOf(), base }, platform)).call("n")).toBe(1);
    await failure("INVALID_MANIFEST", () =>
      open({ manifest: manifestOf({ entry: "../../elsewhere/one.wasm" }), base }, platform),
    );
    await failure("INVALID_MANIFEST", () =>
      open({ manifest: manifestOf({ entry: "/elsewhere/one.wasm" }), base }, platform),
    );
    const real = platform.files.real.bind(platform.files);
    platform.files.real = async (file) =>
      file.pathname.endsWith("link.wasm") ? new URL("file:///elsewhere/one.wasm") : real(file);
    platform.files.put("/plugins/one/link.wasm", ONE);
    await failure("INVALID_MANIFEST", () =>
      open({ manifest: manifestOf({ entry: "link.wasm" }), base }, platform),
    );
  });
});

describe("a bare file", () => {
  test("may be a symbolic link to anywhere: no manifest's author chose it", async () => {
    const platform = createTestPlatform();
    platform.files.put("/plugins/one.wasm", ONE);
    platform.files.real = async () => new URL("file:///elsewhere/one.wasm");
    const base = new URL("file:///plugins/one.wasm");
    expect((await open({ manifest: manifestOf(), base }, platform)).call("n")).toBe(1);
  });
});

describe("wasmModule()", () => {
  test("takes its metadata from the options, then the manifest, then the file's name", () => {
    const base = new URL("file:///p/manifest.json");
    expect(wasmModule({ source: "./plugins/one.wasm" }).metadata).toEqual({
      id: "one",
      name: "one",
      version: "0.0.0",
      kind: "wasm",
    });
    expect(wasmModule({ source: new URL("file:///a%20b/two.WASM") }).metadata.id).toBe("two");
    const manifest = manifestOf({
      depends: { other: "^1.0.0" },
      description: "text",
      restart: { policy: "always" },
      overlap: false,
    });
    const definition = wasmModule({ manifest, base });
    expect(definition.metadata).toEqual({
      id: "one",
      name: "One",
      version: "1.2.3",
      kind: "wasm",
      description: "text",
    });
    expect(definition).toMatchObject({
      depends: { other: "^1.0.0" },
      restart: { policy: "always" },
      overlap: false,
      manifest,
    });
    expect(wasmModule({ manifest, base, id: "mine", version: "2.0.0" }).metadata).toMatchObject({
      id: "mine",
      version: "2.0.0",
    });
  });

  test("refuses options that cannot be meant", async () => {
    const bad: unknown[] = [
      {},
      { source: ONE },
      { manifest: manifestOf() },
      { source: new ArrayBuffer(8), id: "x" },
      { source: 1, id: "x" },
      { source: ONE, id: "x", limits: { memory: -1 } },
      { source: ONE, id: "x", limits: { memory: "64MiB" } },
      { source: ONE, id: "x", limits: { memory: 1.5 } },
      { source: ONE, id: "x", limits: { instances: 0 } },
    ];
    for (const options of bad) await failure("INVALID_OPTIONS", () => wasmModule(options as never));
  });
});

describe("a limit that nothing enforces", () => {
  test("is told by a warning in the log", async () => {
    const platform = createTestPlatform();
    platform.files.put("/p/one.wasm", ONE);
    const manifest = manifestOf({ limits: { cpuMs: 50, fuel: 1_000 } });
    await open({ manifest, metering: "off", base: new URL("file:///p/") }, platform);
    expect(platform.log.records[0]).toMatchObject({ level: "warn", fields: { limits: ["fuel", "cpuMs"] } });
  });
});

describe("the loader", () => {
  test("makes a definition of a manifest, and refuses one without an entry", async () => {
    const platform = createTestPlatform();
    const definition = await wasmLoader.load(manifestOf({ abi: "raw" }), new URL("file:///p/"), platform);
    expect(definition.metadata).toMatchObject({ id: "one", kind: "wasm", version: "1.2.3" });
    const { entry: _, ...without } = manifestOf();
    await failure("INVALID_MANIFEST", () => wasmLoader.load(without, new URL("file:///p/"), platform));
    expect(wasmLoader.extensions).toEqual([".wasm"]);
  });
});
