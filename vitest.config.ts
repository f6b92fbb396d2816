import { defineConfig } from "vitest/config";
import { currentRuntime } from "./tools/vitest/runtime.ts";

// The same files run on Node, Deno and Bun: `pnpm test:node`, `pnpm test:deno`, `pnpm test:bun`.
export default defineConfig({
  // Vitest resolves as Node does, wherever it runs: `keelson` would pick Node's adapter on Deno and Bun.
  ssr: { resolve: { conditions: [currentRuntime(), "module", "node", "development|production"] } },
  test: {
    pool: "forks",
    include: [
      "packages/*/test/**/*.test.ts",
      "apps/*/test/**/*.test.ts",
      "bench/test/**/*.test.ts",
      "tools/test/**/*.test.ts",
    ],
    setupFiles: ["tools/vitest/setup.ts"],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
