import { SectionId } from "../../binary/numbers.ts";
import type { MeterLimits } from "../options.ts";
import type { ModuleInfo } from "./module.ts";
import { Reader, tooLarge, truncated } from "./reader.ts";

/** Where a function's body lies, from its declarations of locals on. */
export interface Body {
  readonly from: number;
  readonly to: number;
}

/** The bodies of all functions that a module defines, in order. @throws `WASM_TOO_LARGE` for one that is longer than it may be */
export function readBodies(module: ModuleInfo, limits: MeterLimits): Body[] {
  const section = module.sections.find(({ id }) => id === SectionId.code);
  const bodies: Body[] = [];
  if (section) {
    const reader = new Reader(module.bytes, section.from, section.to);
    for (let count = reader.u32(); count > 0; count--) {
      const size = reader.u32();
      if (size > limits.maxFunctionBytes) throw tooLarge("maxFunctionBytes", size, limits.maxFunctionBytes);
      const from = reader.at;
      reader.skip(size);
      bodies.push({ from, to: reader.at });
    }
    if (reader.at !== section.to) throw truncated(reader.at);
  }
  if (bodies.length !== module.functions.length - module.importedFunctions)
    throw truncated(section?.from ?? 0);
  return bodies;
}
