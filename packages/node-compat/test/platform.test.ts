import { describe, expect, it } from "vitest";
import { engineFeatures, supportsOf } from "../src/supports.ts";
import { adapter, runtime } from "./adapter.ts";

describe("the adapter's platform", () => {
  it("says who it is", async () => {
    const platform = await adapter();
    expect(platform.name).toBe(runtime);
    expect(platform.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it("tells what it can do, and for what it cannot the reason", async () => {
    const { supports, reasons } = await adapter();
    expect(supports).toMatchObject({
      files: true,
      processes: true,
      processTree: true,
      wasm: true,
      jspi: true,
    });
    for (const [feature, can] of Object.entries(supports))
      expect([feature, feature in reasons]).toEqual([feature, !can]);
    expect(supports["strayScan"]).toBe(process.platform === "linux");
  });

  it("measures the engine: Bun has no 64-bit memories", async () => {
    const { supports } = await adapter();
    expect(supports["wasmMemory64"]).toBe(runtime !== "bun");
    expect(engineFeatures()["wasm"]).toBeUndefined();
  });

  it("makes ids that differ and numbers in [0, 1)", async () => {
    const { random } = await adapter();
    const ids = new Set(Array.from({ length: 1000 }, () => random.id()));
    expect(ids.size).toBe(1000);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9-]+$/);
    const numbers = Array.from({ length: 1000 }, () => random.number());
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
  });
});

describe("another runtime's adapter", () => {
  it("says that it is the wrong one as soon as it is used", async () => {
    const others = {
      deno: async () => (await import("../../deno/src/index.ts")).denoPlatform(),
      bun: async () => (await import("../../bun/src/index.ts")).bunPlatform(),
    };
    for (const [name, make] of Object.entries(others)) {
      if (name === runtime) continue;
      await expect(make()).rejects.toThrow(TypeError);
      await expect(make()).rejects.toThrow(`@keelson/${name} runs on`);
    }
  });
});

describe("supportsOf()", () => {
  it("makes two tables that cannot be changed", () => {
    const { supports, reasons } = supportsOf({ files: undefined, processes: "no permission" });
    expect(supports).toEqual({ files: true, processes: false });
    expect(reasons).toEqual({ processes: "no permission" });
    expect([Object.isFrozen(supports), Object.isFrozen(reasons)]).toEqual([true, true]);
  });
});
