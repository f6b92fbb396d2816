/**
 * Whether the engine ran out of stack; a RangeError on all of them. Asked where little of the stack may be left, so it uses no regular
 * expression: V8 compiles one on that very stack, and throws a SyntaxError of its own when it does not fit. Never throws, whatever was thrown.
 */
export function isStackOverflow(thrown: unknown): boolean {
  try {
    if (thrown instanceof RangeError) return thrown.message.startsWith("Maximum call stack");
    return thrown instanceof SyntaxError && thrown.message.endsWith(": Stack overflow");
  } catch {
    // A proxy, or an error that was changed: nothing that an engine made.
    return false;
  }
}
