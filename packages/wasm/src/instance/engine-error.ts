import { isStackOverflow } from "../governor/overflow.ts";
import { isA } from "../governor/thrown.ts";

/** The stack of what was thrown, if it has one that can be read. */
export function stackOf(thrown: unknown): string | undefined {
  try {
    if (!(thrown instanceof Error)) return undefined;
    const stack = kindOf(thrown) === undefined ? thrown.stack : engineStack(thrown);
    return typeof stack === "string" ? stack : undefined;
  } catch {
    // What writes it may be the program's own code.
    return undefined;
  }
}

/**
 * The stack as the engine has it. What Deno writes of that numbers all functions of guests 0. A program that writes its stacks itself is left to
 * do so.
 */
function engineStack(error: Error): unknown {
  const errors = Error as { prepareStackTrace?: unknown };
  if (errors.prepareStackTrace !== undefined) return error.stack;
  const isAbsent = !Object.hasOwn(errors, "prepareStackTrace");
  try {
    errors.prepareStackTrace = writeStack;
  } catch {
    // It was frozen.
    return error.stack;
  }
  try {
    return error.stack;
  } finally {
    if (isAbsent) delete errors.prepareStackTrace;
    else errors.prepareStackTrace = undefined;
  }
}

function writeStack({ name, message }: Error, sites: readonly unknown[]): string {
  return sites.reduce((text: string, site) => `${text}\n    at ${String(site)}`, `${name}: ${message}`);
}

/**
 * What the engine threw for a guest, as one that can be kept: on V8 its own error holds the guest on its stack, memory and all, until the stack is read, and on
 * Deno for ever. Anything else as it is, what a host function threw among it, whatever its class.
 */
export function withoutGuest(thrown: unknown): unknown {
  const Kind = kindOf(thrown);
  if (Kind === undefined) return thrown;
  const stack = stackOf(thrown);
  if (stack === undefined || !beganInGuest(stack)) return thrown;
  const { message } = thrown as Error;
  const copy = new Kind(message);
  copy.stack = stack;
  return copy;
}

/** What makes another of what the engine threw, if it is one that guests make it throw. */
function kindOf(thrown: unknown): (new (message: string) => Error) | undefined {
  if (isA(thrown, WebAssembly.RuntimeError)) return WebAssembly.RuntimeError;
  if (isSuspendError(thrown)) return WebAssembly.SuspendError;
  return isStackOverflow(thrown) ? RangeError : undefined;
}

/** Whether a guest was to wait where it cannot. */
export function isSuspendError(thrown: unknown): boolean {
  return WebAssembly.SuspendError !== undefined && isA(thrown, WebAssembly.SuspendError);
}

/** Whether the innermost frame is a guest's, as V8 writes it; other engines' errors hold nothing. */
function beganInGuest(stack: string): boolean {
  const first = stack.indexOf("\n    at ");
  if (first < 0) return false;
  const end = stack.indexOf("\n", first + 1);
  return stack.slice(first, end < 0 ? undefined : end).includes("wasm-function[");
}
