import type { BadCase } from "./case.ts";
import { commandCases } from "./commands.ts";
import { manifestCases } from "./manifests.ts";
import { moduleCases } from "./modules.ts";
import { wasmCases } from "./wasm.ts";

/** All bad cases by what is bad. */
export const badCases: Readonly<Record<string, readonly BadCase[]>> = {
  manifests: manifestCases,
  "WebAssembly files and guests": wasmCases,
  "commands and children": commandCases,
  modules: moduleCases,
};
