import { createTestPlatform } from "@keelson/core/testing";
import { describe, expect, test } from "vitest";
import { createCompileCache } from "../../src/cache/compile-cache.ts";
import { liveInstances } from "../../src/instance/live-instances.ts";
import { failure } from "../support/errors.ts";
import { ECHO, keelsonGuest } from "../support/guests.ts";
import { CoreModule } from "../../src/module/core-module.ts";
import { settle } from "../../src/module/settings.ts";
import { open, testContext } from "../support/instance.ts";
import { wat } from "../support/wat.ts";

describe("exports", () => {
  test("decide the profile; one that lacks a part of it is MISSING_EXPORT with all that is missing", async () => {
    const lacking: [string, string[]][] = [
      [
        `(module (memory 1) (func (export "keelson_call")))`,
        ["memory", "keelson_alloc", "keelson_free", "keelson_call"],
      ],
      [
        `(module (memory (export "memory") 1) (func (export "oxide_invoke")))`,
        ["alloc", "free", "oxide_invoke"],
      ],
      [
        `(module (memory (export "memory") 1) (func (export "gn_handle_hook")))`,
        ["gn_alloc", "gn_free", "gn_handle_hook"],
      ],
      [
        `(module (func (export "memory")) (func (export "oxide_invoke")))`,
        ["memory", "alloc", "free", "oxide_invoke"],
      ],
    ];
    for (const [text, names] of lacking) {
      const error = await failure("MISSING_EXPORT", () => open(wat(text)));
      const missing = error.details?.["missing"] as string[];
      expect(missing).toHaveLength(names.length);
      names.forEach((name, at) => expect(missing[at]).toContain(name));
    }
  });

  test("of a declared profile are needed although another would fit", async () => {
    const bytes = wat(`(module (func (export "f")))`);
    await failure("MISSING_EXPORT", () => open({ source: bytes, abi: "keelson" }));
    const error = await failure("UNKNOWN_ABI", () => open({ source: bytes, abi: "kelson" }));
    expect(error.hint).toContain("did you mean keelson?");
    await failure("UNKNOWN_ABI", () => open(wat(`(module (memory (export "memory") 1))`)));
  });

  test("a profile of the host's own is used as it is", async () => {
    const { call } = await open({
      source: wat(`(module (func (export "f") (result i32) (i32.const 3)))`),
      abi: {
        name: "own",
        matches: () => false,
        requires: [{ name: "f", kind: "function" }],
        imports: () => ({}),
        bind: ({ exports }) => ({ call: (method) => `${method} ${(exports["f"] as () => number)()}` }),
      },
    });
    expect(call("hello")).toBe("hello 3");
  });
});

describe("imports", () => {
  test("that nobody provides are MISSING_IMPORT, all of them named, with where they come from", async () => {
    const error = await failure("MISSING_IMPORT", () =>
      open(
        wat(`(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
          (import "env" "other" (global i32)) (func (export "f")))`),
      ),
    );
    expect(error.details?.["missing"]).toEqual([
      { module: "wasi_snapshot_preview1", name: "fd_write", kind: "function" },
      { module: "env", name: "other", kind: "global" },
    ]);
    expect(error.hint).toContain("WASI");
    const memory = await failure("MISSING_IMPORT", () =>
      open(wat(`(module (import "env" "memory" (memory 1)) (func (export "f")))`)),
    );
    expect(memory.hint).toContain("WebAssembly.Memory");
  });

  test("named like properties of Object.prototype are missing as well", async () => {
    await failure("MISSING_IMPORT", () =>
      open(wat(`(module (import "env" "toString" (func)) (func (export "f")))`)),
    );
    await failure("MISSING_IMPORT", () =>
      open(wat(`(module (import "constructor" "name" (func)) (func (export "f")))`)),
    );
  });

  test("of the wrong kind or type are WASM_LINK", async () => {
    const bytes = wat(`(module (import "env" "x" (func (param i32))) (func (export "f")))`);
    await failure("WASM_LINK", () => open({ source: bytes, imports: { env: { x: 1 } } }));
    await failure("WASM_LINK", () =>
      open({ source: bytes, imports: { env: { x: new WebAssembly.Memory({ initial: 1 }) } } }),
    );
    const other = new WebAssembly.Instance(
      new WebAssembly.Module(wat(`(module (func (export "f") (param i64)))`)),
    );
    await failure("WASM_LINK", () =>
      open({ source: bytes, imports: { env: { x: other.exports["f"] as never } } }),
    );
    const global = wat(`(module (import "env" "g" (global i64)) (func (export "f")))`);
    await failure("WASM_LINK", () => open({ source: global, imports: { env: { g: 1 } } }));
  });

  test("are made anew for each instance when they are a function, and the module's own go before the profile's", async () => {
    const source = wat(`(module (import "env" "memory" (memory 1)) (func (export "bump") (result i32)
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (i32.load (i32.const 0))))`);
    const imports = () => ({ env: { memory: new WebAssembly.Memory({ initial: 1, maximum: 1 }) } });
    const [one, two] = [await open({ source, imports }), await open({ source, imports })];
    expect([one.call("bump"), one.call("bump"), two.call("bump")]).toEqual([1, 2, 1]);
    const lines: string[] = [];
    const guest = wat(keelsonGuest(`(call $log (i32.const 0) (i32.const 64) (i32.const 8)) ${ECHO}`));
    const own = await open({ source: guest, imports: { keelson: { log: () => lines.push("mine") } } });
    own.call("echo");
    expect(lines).toEqual(["mine"]);
    expect(own.platform.log.records).toEqual([]);
  });
});

describe("live instances", () => {
  const bytes = wat(`(module (memory (export "memory") 1) (func (export "f")))`);

  test("are counted by kernel; past the cap INSTANCE_LIMIT; disposing frees a place, once", async () => {
    const first = await open({ source: bytes, limits: { instances: 2 } });
    const { platform } = first;
    const second = await open({ source: bytes, limits: { instances: 2 } }, platform);
    await failure("INSTANCE_LIMIT", () => open({ source: bytes, limits: { instances: 2 } }, platform));
    await open({ source: bytes, limits: { instances: 2 } });
    first.instance[Symbol.dispose]();
    first.instance[Symbol.dispose]();
    expect(liveInstances(platform).count).toBe(1);
    expect(first.instance.dead).toBe(true);
    expect(first.instance.memoryBytes).toBe(0);
    second.instance[Symbol.dispose]();
    expect(liveInstances(platform).count).toBe(0);
  });

  test("an instance that could not be made does not count", async () => {
    const { platform } = await open(bytes);
    const before = liveInstances(platform).count;
    await failure("WASM_TRAP", () =>
      open(wat(`(module (func $s unreachable) (start $s) (func (export "f")))`), platform),
    );
    await failure("MISSING_IMPORT", () =>
      open(wat(`(module (import "a" "b" (func)) (func (export "f")))`), platform),
    );
    expect(liveInstances(platform).count).toBe(before);
  });

  test("made and disposed by the thousand do not run out of address space, which on V8 ends at some 16,000", async () => {
    const platform = createTestPlatform();
    const context = testContext(platform);
    const source = new CoreModule(settle({ id: "guest", source: bytes }), createCompileCache());
    await source.prepare(context);
    // As many as three seconds allow: JavaScriptCore takes far longer for one, and has no such end.
    const end = performance.now() + 3000;
    let made = 0;
    for (; made < 20_000 && (made < 100 || performance.now() < end); made++) {
      const instance = await source.instantiate(context);
      instance[Symbol.dispose]();
    }
    expect(liveInstances(platform).count).toBe(0);
  });
});
