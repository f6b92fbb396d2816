/** A JavaScript runtime that Keelson supports. */
export type RuntimeName = "node" | "deno" | "bun";

/** The runtime that executes this very code. */
export function currentRuntime(): RuntimeName {
  if ("Deno" in globalThis) return "deno";
  if ("Bun" in globalThis) return "bun";
  return "node";
}
