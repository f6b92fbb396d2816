import { describe, expect, it } from "vitest";
import { runtime } from "./adapter.ts";

const { createKernel } =
  runtime === "deno"
    ? await import("../../deno/src/index.ts")
    : runtime === "bun"
      ? await import("../../bun/src/index.ts")
      : await import("../../node/src/index.ts");

describe("createKernel()", () => {
  it("binds the adapter's platform, made with the options given", async () => {
    const lines: string[] = [];
    const log = { level: "debug", write: (line: string) => void lines.push(line) } as const;
    const kernel = await createKernel({ platform: { log } });
    expect(kernel.platform.name).toBe(runtime);
    kernel.platform.log.write("debug", "here I am");
    expect(lines.join()).toContain("here I am");
    await kernel.shutdown();
  });

  it("takes nothing for no options", async () => {
    for (const none of [undefined, null, {}, { platform: null }] as never[]) {
      await using kernel = await createKernel(none);
      expect(kernel.platform.name).toBe(runtime);
    }
  });

  it("refuses options out of range with INVALID_OPTIONS", async () => {
    await expect(createKernel({ callTimeoutMs: -1 })).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  });
});
