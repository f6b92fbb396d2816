import { isStackOverflow } from "../governor/overflow.ts";

/** The stack of what was thrown, if it has one that can be read. */
export function stackOf(thrown: unknown): string | undefined {
  try {
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    return typeof stack === "string" ? stack : undefined;
  } catch {
    // What writes it may be the program's own code.
    return undefined;
  }
}

/**
 * What the engine threw for a guest, as one that can be kept: on V8 its own error holds the guest on its stack, memory and all, until the stack is read, and on
 * Deno for ever. Anything else as it is.
 */
export function withoutGuest(thrown: unknown): unknown {
  const copy =
    thrown instanceof WebAssembly.RuntimeError
      ? new WebAssembly.RuntimeError(thrown.message)
      : isStackOverflow(thrown)
        ? new RangeError((thrown as RangeError).message)
        : undefined;
  const stack = copy && stackOf(thrown);
  if (copy === undefined || stack === undefined) return thrown;
  copy.stack = stack;
  return copy;
}
