import { createKernel } from "@keelson/core";
import { createTestPlatform } from "@keelson/core/testing";
import { expect, test } from "vitest";
import {
  createCompileCache,
  createWasmLoader,
  Governor,
  inspectWasm,
  readWasmModule,
  suspending,
  wasmModule,
} from "../../src/index.ts";
import { failure } from "../support/errors.ts";
import { wat } from "../support/wat.ts";

const source = wat(`(module (func (export "go")))`);

/** What throws when it is put into a text, or has no JSON. */
const unprintable: readonly unknown[] = [Object.create(null), Symbol("s"), 5n, { toString: 5 }];

test("options of other types are INVALID_OPTIONS at once, with a hint", async () => {
  for (const other of unprintable) {
    for (const key of ["source", "metering", "scheduling", "state", "isolation"]) {
      const error = await failure("INVALID_OPTIONS", () =>
        wasmModule({ id: "a", source, [key]: other as never }),
      );
      expect(error.hint, key).toBeDefined();
    }
    for (const key of ["memory", "instances", "fuel", "cpuMs", "stack", "process", "tableElements"]) {
      const error = await failure("INVALID_OPTIONS", () =>
        wasmModule({ id: "a", source, limits: { [key]: other } }),
      );
      expect(error.hint, key).toBeDefined();
    }
    await failure("INVALID_OPTIONS", () => createCompileCache({ maxModules: other as never }));
  }
});

test("a governor without a clock is INVALID_OPTIONS", async () => {
  for (const clock of [undefined, null, 5, {}])
    await failure("INVALID_OPTIONS", () => new Governor({ clock } as never));
  for (const none of [undefined, null, 5])
    await failure("INVALID_OPTIONS", () => new Governor(none as never));
});

test("an option that wasmModule does not have is INVALID_OPTIONS, and its hint knows the one that was meant", async () => {
  for (const [given, meant] of [
    ["isolaton", "isolation"],
    ["Metering", "metering"],
    ["fuel", "limits.fuel"],
    ["surprise", "isolation"],
  ] as const) {
    const error = await failure("INVALID_OPTIONS", () => wasmModule({ id: "a", source, [given]: "process" }));
    expect(error.hint).toContain(meant);
  }
});

test("what is no object, where options belong, is INVALID_OPTIONS", async () => {
  for (const other of [null, 5, "x", true] as never[]) {
    await failure("INVALID_OPTIONS", () => wasmModule(other));
    for (const key of ["limits", "pool", "imports", "cache", "manifest"])
      await failure("INVALID_OPTIONS", () => wasmModule({ id: "a", source, [key]: other }));
    await failure("INVALID_OPTIONS", () => readWasmModule("/x/manifest.json", other));
    // Nothing is as good as no options.
    if (other !== null) await failure("INVALID_OPTIONS", () => createWasmLoader(other));
    else expect(createWasmLoader(other).kind).toBe("wasm");
  }
  await failure("INVALID_OPTIONS", () => readWasmModule("/x/manifest.json", {} as never));
  await failure("INVALID_OPTIONS", () => wasmModule({ id: "a", source, manifest: {} as never }));
});

test("what is no path and no URL is read from nowhere, and what is no bytes not looked at", async () => {
  for (const other of [undefined, ...unprintable] as never[]) {
    await failure("INVALID_OPTIONS", () => readWasmModule(other, createTestPlatform()));
    await failure("INVALID_OPTIONS", () => inspectWasm(other));
  }
});

test("what a pool may not have is refused when the module is defined, and not when it is started", async () => {
  for (const pool of [{ min: -1 }, { max: "8" }, { maximum: 8 }, { drainMs: NaN }] as never[]) {
    await failure("INVALID_OPTIONS", () => wasmModule({ id: "a", source, pool }));
    await failure("INVALID_OPTIONS", () => createWasmLoader({ pool }));
  }
});

test("a limit that is mistyped is refused, with the one that was meant", async () => {
  for (const [limits, meant] of [
    [{ memmory: 1 }, "memory"],
    [{ code: { maxFunctionByte: 1 } }, "maxFunctionBytes"],
  ] as const) {
    const error = await failure("INVALID_OPTIONS", () =>
      wasmModule({ id: "a", source, limits: limits as never }),
    );
    expect(error.message).toContain(`did you mean ${meant}?`);
  }
});

test("a limit that is null is refused: it would have been none, or the default", async () => {
  for (const name of ["memory", "instances", "fuel", "cpuMs", "stack", "process", "tableElements", "code"]) {
    const limits = { [name]: null } as never;
    const error = await failure("INVALID_OPTIONS", () => wasmModule({ id: "a", source, limits }));
    expect(error.message).toContain(`limits.${name}`);
  }
});

test("a deadline that cannot be one is refused when the module is defined, by its own name", async () => {
  for (const name of ["initMs", "startMs", "stopMs"]) {
    for (const value of [null, NaN, -1, "5", 5n, true, {}]) {
      const deadlines = { [name]: value } as never;
      for (const define of [
        () => wasmModule({ id: "a", source, deadlines }),
        () => createWasmLoader({ deadlines }),
      ]) {
        const error = await failure("INVALID_OPTIONS", define);
        expect(error.details).toMatchObject({ option: `deadlines.${name}` });
      }
    }
  }
});

test("what is undefined is not given, also where it stands inside: a stop's calls have their share of its time", async () => {
  const plain = createTestPlatform();
  const platform = { ...plain, supports: { ...plain.supports, jspi: true } };
  const kernel = createKernel({ platform });
  await kernel.register(
    wasmModule({
      id: "a",
      source: wat(`(module (import "host" "wait" (func $wait)) (func (export "go") (call $wait)))`),
      imports: { host: { wait: suspending(() => new Promise(() => {})) } },
      pool: { drainMs: undefined, min: undefined },
      limits: { memory: undefined, code: { maxBytes: undefined } },
      deadlines: { initMs: undefined, stopMs: 1_000 },
    } as never),
  );
  await kernel.start("a");
  const call = failure("MODULE_NOT_RUNNING", () =>
    kernel.invoke("a", "go", undefined, { timeoutMs: Infinity }),
  );
  const stopped = kernel.stop("a");
  await platform.clock.advance(799);
  expect(kernel.state("a")).toBe("stopping");
  await platform.clock.advance(1);
  expect(kernel.state("a")).toBe("stopped");
  await stopped;
  await call;
  await kernel.shutdown();
});
