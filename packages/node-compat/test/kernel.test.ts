import { describe, expect, it } from "vitest";
import { runtime } from "./adapter.ts";

const { createKernel } =
  runtime === "deno"
    ? await import("../../deno/src/index.ts")
    : runtime === "bun"
      ? await import("../../bun/src/index.ts")
      : await import("../../node/src/index.ts");

describe("createKernel()", () => {
  it("binds the adapter's platform", async () => {
    await using kernel = await createKernel({ log: { level: "silent" } });
    expect(kernel.platform.name).toBe(runtime);
    expect(kernel.list()).toEqual([]);
  });

  it("takes a platform that is given", async () => {
    await using first = await createKernel({ log: { level: "silent" } });
    await using second = await createKernel({ platform: first.platform });
    expect(second.platform).toBe(first.platform);
  });

  it("refuses options out of range with INVALID_OPTIONS", async () => {
    await expect(createKernel({ callTimeoutMs: -1 })).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  });
});
