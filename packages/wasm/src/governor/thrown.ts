/** `instanceof` for what a host function threw: it may be a proxy, which throws whatever it is asked. Never throws itself. */
export function isA<T>(
  thrown: unknown,
  Kind: { readonly prototype: T } & (abstract new (...args: never[]) => T),
): thrown is T {
  try {
    return thrown instanceof Kind;
  } catch {
    return false;
  }
}
