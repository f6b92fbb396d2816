import { replay, suspending, wasmModule } from "@keelson/wasm";
import { tmpdir } from "node:os";
import { execPath } from "node:process";
import { pathToFileURL } from "node:url";
import type { AdapterModule } from "../src/index.ts";

/** The runtime that runs this file. */
export const runtime: "node" | "deno" | "bun" =
  "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

/** Its adapter. */
export const adapter: AdapterModule = {
  ...(await currentAdapter()),
  scratch: pathToFileURL(`${tmpdir()}/`),
  wasmModule,
  suspending,
  replay,
};

async function currentAdapter(): Promise<AdapterModule> {
  const log = { level: "silent" } as const;
  if (runtime === "deno") {
    const { denoPlatform } = await import("@keelson/deno");
    return { platform: () => denoPlatform({ log }), child: { command: execPath, args: ["run", "-A"] } };
  }
  if (runtime === "bun") {
    const { bunPlatform } = await import("@keelson/bun");
    return { platform: () => bunPlatform({ log }), child: { command: execPath, args: ["run"] } };
  }
  const { nodePlatform } = await import("@keelson/node");
  return { platform: () => nodePlatform({ log }), child: { command: execPath, args: [] } };
}
