import { defineConfig } from "tsup";
import { library } from "../../tsup.config.ts";

const entry = ["src/bin.ts", "src/index.node.ts", "src/index.deno.ts", "src/index.bun.ts"];

// "#runtime" is resolved where the package runs, by export condition.
export default defineConfig(library(entry, { external: [/^(node|bun):/, /^@keelson\//, "#runtime"] }));
