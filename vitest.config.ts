import { defineConfig } from "vitest/config";
import { currentRuntime } from "./tools/vitest/runtime.ts";
import { LongestFirst } from "./tools/vitest/sequencer.ts";
import { WORKERS } from "./tools/vitest/workers.ts";

// The same files run on Node, Deno and Bun: `pnpm test:node`, `pnpm test:deno`, `pnpm test:bun`.
export default defineConfig({
  // Vitest resolves as Node does, wherever it runs: `keelson` would pick Node's adapter on Deno and Bun.
  ssr: { resolve: { conditions: [currentRuntime(), "module", "node", "development|production"] } },
  test: {
    pool: "forks",
    maxWorkers: WORKERS,
    sequence: { sequencer: LongestFirst },
    include: [
      "packages/*/test/**/*.test.ts",
      "apps/*/test/**/*.test.ts",
      "bench/test/**/*.test.ts",
      "tools/test/**/*.test.ts",
    ],
    setupFiles: ["tools/vitest/setup.ts"],
    // The longest take some seconds; a machine may be slow, or busy with other things.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
