import { execPath } from "node:process";
import type { AdapterModule } from "../src/index.ts";

/** The adapter of the runtime that runs this file. */
export const adapter: AdapterModule = await currentAdapter();

async function currentAdapter(): Promise<AdapterModule> {
  if ("Deno" in globalThis) {
    const { denoPlatform } = await import("@keelson/deno");
    return { platform: () => denoPlatform(), child: { command: execPath, args: ["run", "-A"] } };
  }
  if ("Bun" in globalThis) {
    const { bunPlatform } = await import("@keelson/bun");
    return { platform: () => bunPlatform(), child: { command: execPath, args: ["run"] } };
  }
  const { nodePlatform } = await import("@keelson/node");
  return { platform: () => nodePlatform(), child: { command: execPath, args: [] } };
}
