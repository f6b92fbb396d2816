import { defineConfig } from "vitest/config";

// The same files run on Node, Deno and Bun: `pnpm test:node`, `pnpm test:deno`, `pnpm test:bun`.
export default defineConfig({
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
