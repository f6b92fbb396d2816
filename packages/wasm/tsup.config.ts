import { defineConfig } from "tsup";
import { library } from "../../tsup.config.ts";

export default defineConfig([
  library(["src/index.ts", "src/isolation/thread.ts"], { clean: ["**/*", "!isolation/child.js*"] }),
  // Whole in itself: started by its path, it is no part of the host's program, so on Deno nothing would find its packages for it.
  library([], {
    entry: { "isolation/child": "src/isolation/child.ts" },
    clean: false,
    external: [/^(node|bun):/],
    noExternal: [/^@keelson\//],
  }),
]);
