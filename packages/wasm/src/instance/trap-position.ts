import { originalOffset, type OffsetMap } from "../meter/offset-map.ts";
import { stackOf } from "./engine-error.ts";

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
const FRAME = "wasm-function[";

/** The innermost of the guest's functions in the stack of what was thrown, or undefined when there is none. */
export function trapPosition(thrown: unknown, { functions, offsets }: Positions): TrapPosition | undefined {
  const stack = stackOf(thrown);
  if (stack === undefined) return undefined;
  // No regular expression: made for each stop, its iterator takes as long as all else here.
  for (let at = stack.indexOf(FRAME); at >= 0; at = stack.indexOf(FRAME, at)) {
    at += FRAME.length;
    const end = stack.indexOf("]", at);
    const name = stack.slice(at, end);
    const number = Number(name);
    if (end <= at || number >= functions) continue;
    const offset =
      offsets === undefined || !stack.startsWith(":0x", end + 1)
        ? undefined
        : originalOffset(offsets, Number.parseInt(stack.slice(end + 2), 16));
    return {
      function: Number.isInteger(number) ? number : name,
      ...(offset === undefined ? {} : { offset }),
    };
  }
  return undefined;
}
