import { defineConfig, type Options } from "tsup";

/**
 * The one build of all packages: ES modules for Node 24, Deno 2.9 and Bun 1.4 and later.
 * Types come from `tsc`, not from tsup: see RATIONALE.md.
 */
export function library(entry: string[] = ["src/index.ts"], options: Options = {}): Options {
  return {
    entry,
    format: ["esm"],
    target: "esnext",
    platform: "neutral",
    dts: false,
    sourcemap: true,
    clean: true,
    external: [/^(node|bun):/, /^@keelson\//],
    ...options,
  };
}

export default defineConfig(library());
