import { originalOffset, type OffsetMap } from "../meter/offset-map.ts";

/** Where a guest was when it trapped or was stopped, in the module as it came. */
export interface TrapPosition {
  /** Number of the function, imported ones counted; or its name, where that is all the engine tells. */
  readonly function: number | string;
  /** Of the instruction, from the module's first byte; where the engine tells it and the module keeps `offsets`. */
  readonly offset?: number;
}

/** What is needed to turn an engine's positions back. */
export interface Positions {
  /** Functions of the original, imported ones counted: those with higher numbers are the meter's own. */
  readonly functions: number;
  readonly offsets: OffsetMap | undefined;
}

// V8: `at name (wasm://wasm/1a2b3c:wasm-function[12]:0x1a3)`; JavaScriptCore: `<?>.wasm-function[12]@[wasm code]`
const FRAME = /wasm-function\[([^\]]+)\](?::0x([0-9a-f]+))?/g;

/** The innermost of the guest's functions in the stack of what was thrown, or undefined when there is none. */
export function trapPosition(thrown: unknown, { functions, offsets }: Positions): TrapPosition | undefined {
  if (!(thrown instanceof Error) || typeof thrown.stack !== "string") return undefined;
  for (const [, name, hex] of thrown.stack.matchAll(FRAME)) {
    const number = Number(name);
    if (number >= functions) continue;
    const offset =
      offsets === undefined || hex === undefined ? undefined : originalOffset(offsets, Number(`0x${hex}`));
    return {
      function: Number.isInteger(number) ? number : (name as string),
      ...(offset === undefined ? {} : { offset }),
    };
  }
  return undefined;
}
