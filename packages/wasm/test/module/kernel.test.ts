import { createKernel } from "@keelson/core";
import { createTestPlatform } from "@keelson/core/testing";
import { afterEach, describe, expect, test } from "vitest";
import { liveInstances } from "../../src/instance/live-instances.ts";
import { createWasmLoader, wasmLoader } from "../../src/module/loader.ts";
import { readWasmModule, wasmModule } from "../../src/module/wasm-module.ts";
import { failure } from "../support/errors.ts";
import { answer, ECHO, gonextGuest, keelsonGuest, on } from "../support/guests.ts";
import { wat } from "../support/wat.ts";

const MATH =
  wat(`(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "trap") unreachable))`);
const GUEST = wat(keelsonGuest(`${ECHO} ${on("t", "unreachable")} ${on("v", answer(0, 3, 64, 8))}`));

const ends: (() => Promise<unknown>)[] = [];

function start(loaders = [wasmLoader]) {
  const platform = createTestPlatform();
  const kernel = createKernel({ platform, loaders });
  ends.push(() => kernel.shutdown());
  return { platform, kernel };
}

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

describe("a WebAssembly module in a kernel", () => {
  test("loads from a bare file, with no manifest, and answers", async () => {
    const { platform, kernel } = start();
    platform.files.put("/plugins/math.wasm", MATH);
    const plugin = await kernel.load("/plugins/math.wasm");
    expect(plugin.id).toBe("math");
    expect(await plugin.call("add", [2, 3])).toBe(5);
    expect(plugin.callSync("add", [2, 3])).toBe(5);
    expect(kernel.list()[0]?.metadata.kind).toBe("wasm");
  });

  test("loads from a manifest, whose integrity, limits and profile hold", async () => {
    const { platform, kernel } = start([createWasmLoader({ pool: { max: 2 } })]);
    platform.files.put("/p/guest.wasm", GUEST);
    const manifest = {
      apiVersion: "keelson/v1",
      id: "guest",
      name: "Guest",
      version: "1.0.0",
      kind: "wasm",
      entry: "guest.wasm",
    };
    platform.files.put(
      "/p/manifest.json",
      JSON.stringify({ ...manifest, abi: "keelson", limits: { memory: "1MiB" } }),
    );
    const plugin = await kernel.load("/p/manifest.json");
    expect(await plugin.call("echo", Uint8Array.of(1, 2))).toEqual(Uint8Array.of(1, 2));
    await failure("OUT_OF_MEMORY", () => plugin.call("echo", new Uint8Array(2_000_000)));
    expect(await plugin.call("echo", "still here")).toBe("still here");
    platform.files.put(
      "/p/manifest.json",
      JSON.stringify({ ...manifest, id: "other", integrity: `sha256-${"A".repeat(43)}=` }),
    );
    await failure("INVALID_WASM", () => kernel.load("/p/manifest.json"));
  });

  test("loads from a manifest under the limits and with the state that the host's loader gives", async () => {
    const loader = createWasmLoader({ limits: { fuel: 1000 }, state: "fresh", quarantine: false });
    const { platform, kernel } = start([loader]);
    const source = wat(`(module (global $n (mut i32) (i32.const 0))
      (func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
      (func (export "spin") (loop (br 0))))`);
    platform.files.put("/p/guest.wasm", source);
    const manifest = { apiVersion: "keelson/v1", id: "guest", version: "1.0.0", kind: "wasm" };
    platform.files.put(
      "/p/manifest.json",
      JSON.stringify({ ...manifest, entry: "guest.wasm", limits: { fuel: 2_000_000 } }),
    );
    const plugin = await kernel.load("/p");
    expect([await plugin.call("next"), await plugin.call("next")]).toEqual([1, 1]);
    for (let time = 0; time < 4; time++) {
      const { details } = await failure("FUEL_EXHAUSTED", () => plugin.call("spin"));
      expect(details).toMatchObject({ limit: "fuel", value: 1000 });
    }
  });

  test("registers from a manifest's path with options of the host's own", async () => {
    const { platform, kernel } = start();
    platform.files.put("/p/math.wasm", MATH);
    const manifest = {
      apiVersion: "keelson/v1",
      id: "math",
      name: "Math",
      version: "1.4.0",
      kind: "wasm",
      entry: "math.wasm",
    };
    platform.files.put("/p/manifest.json", JSON.stringify(manifest));
    await kernel.register(await readWasmModule("/p/manifest.json", platform, { pool: { min: 3, max: 3 } }));
    await kernel.start("math");
    expect(kernel.list()[0]?.metadata).toMatchObject({ id: "math", version: "1.4.0" });
    expect(await kernel.invoke("math", "add", [1, 2])).toBe(3);
    expect(liveInstances(platform).count).toBe(3);
    for (const folder of ["/p", "/p/", new URL("file:///p")])
      expect((await readWasmModule(folder, platform)).metadata.id).toBe("math");
    platform.files.put("/p/manifest.json", "{");
    await failure("INVALID_MANIFEST", () => readWasmModule("/p/manifest.json", platform));
    await failure("INVALID_MANIFEST", () => readWasmModule("/p", platform));
    // larger than any manifest: refused unread
    platform.files.put("/big/manifest.json", JSON.stringify(manifest).padEnd(2 ** 20 + 1));
    await failure("INVALID_MANIFEST", () => readWasmModule("/big", platform));
    await failure("NOT_FOUND", () => readWasmModule("/q", platform));
    await failure("NOT_FOUND", () => readWasmModule("/q/manifest.json", platform));
  });

  test("a trap fails one call, is discarded, and the next call gets another instance", async () => {
    const { platform, kernel } = start();
    await kernel.register(wasmModule({ id: "math", source: MATH, pool: { min: 1, max: 1 } }));
    await kernel.start("math");
    await failure("WASM_TRAP", () => kernel.invoke("math", "trap"));
    await failure("WASM_TRAP", () => kernel.invokeSync("math", "trap"));
    expect(await kernel.invoke("math", "add", [1, 1])).toBe(2);
    expect(kernel.state("math")).toBe("running");
    expect(liveInstances(platform).count).toBe(1);
    await kernel.stop("math");
    expect(liveInstances(platform).count).toBe(0);
  });

  test("a wrong payload or method keeps the instance", async () => {
    const { kernel } = start();
    let made = 0;
    const imports = () => ({ env: { made: made++ } });
    await kernel.register(
      wasmModule({
        id: "math",
        source: wat(`(module (import "env" "made" (global i32)) (func (export "f")))`),
        imports,
      }),
    );
    await kernel.start("math");
    for (let count = 0; count < 10; count++) {
      await failure("INVALID_PAYLOAD", () => kernel.invoke("math", "f", [1]));
      await failure("UNKNOWN_METHOD", () => kernel.invoke("math", "g"));
    }
    expect(made).toBe(1);
  });

  test("a module that cannot start fails with its own code, the kernel lives, and nothing is left", async () => {
    const { platform, kernel } = start();
    const broken = [
      ["INVALID_WASM", new TextEncoder().encode("<html>")],
      ["MISSING_IMPORT", wat(`(module (import "a" "b" (func)) (func (export "f")))`)],
      ["MISSING_EXPORT", wat(`(module (func (export "keelson_call")))`)],
      ["UNKNOWN_ABI", wat("(module)")],
      ["OUT_OF_MEMORY", wat(`(module (memory 2000) (func (export "f")))`)],
      ["WASM_TRAP", wat(`(module (func $s unreachable) (start $s) (func (export "f")))`)],
    ] as const;
    for (const [code, source] of broken) {
      const id = code.toLowerCase().replaceAll("_", "-");
      await kernel.register(wasmModule({ id, source, pool: { min: 1 } }));
      await failure(code, () => kernel.start(id));
      expect(kernel.state(id)).toBe("failed");
    }
    expect(liveInstances(platform).count).toBe(0);
  });

  test("a reload reads the file again; a broken new file leaves the old version serving", async () => {
    const { platform, kernel } = start();
    platform.files.put("/v.wasm", wat(`(module (func (export "v") (result i32) (i32.const 1)))`));
    const plugin = await kernel.load("/v.wasm");
    expect(await plugin.call("v")).toBe(1);
    platform.files.put("/v.wasm", wat(`(module (func (export "v") (result i32) (i32.const 2)))`));
    await kernel.reload("v");
    expect(await plugin.call("v")).toBe(2);
    platform.files.put("/v.wasm", "(module)");
    await failure("RELOAD_FAILED", () => kernel.reload("v"));
    expect(await plugin.call("v")).toBe(2);
    expect(liveInstances(platform).count).toBe(1);
  });

  test("a gonext plugin's filters and actions are hooks of the host by its manifest", async () => {
    const { platform, kernel } = start();
    platform.files.put(
      "/g/g.wasm",
      wat(
        gonextGuest(`(if (i32.eq (local.get $first) (i32.const 116))
      (then (return (call $pack (i32.const 64) (i32.const 19)))))`),
      ),
    );
    const hooks = [
      { type: "filter", name: "title" },
      { type: "filter", name: "body" },
    ];
    const manifest = {
      apiVersion: "keelson/v1",
      id: "g",
      name: "G",
      version: "1.0.0",
      kind: "wasm",
      entry: "g.wasm",
      hooks,
    };
    platform.files.put("/g/manifest.json", JSON.stringify(manifest));
    await kernel.load("/g/manifest.json");
    expect(await kernel.hooks.applyFilters("title", "given")).toBe("changed");
    // It does not know this hook: the handler is skipped and the value passes on.
    expect(await kernel.hooks.applyFilters("body", "given")).toBe("given");
  });
});
