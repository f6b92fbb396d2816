// (module (func (export "f") unreachable))
const code = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0],
  ...[10, 5, 1, 3, 0, 0, 0x0b],
);
let trap: (() => void) | undefined;

/** Makes ready what {@link trapForNothing} needs. */
export function prepareToTrap(): void {
  trap ??= new WebAssembly.Instance(new WebAssembly.Module(code)).exports["f"] as unknown as () => void;
}

/**
 * Makes the engine throw what it throws for a stopped guest, and answers that. While a guest runs for tens of milliseconds, what it takes to unwind it and
 * to make an error of that leaves the processor's caches: a stop then takes four times as long as one right after another. So it is
 * rehearsed while the guest still has time; and before, for a collection of garbage that waits for the thread to allocate.
 */
export function trapForNothing(): unknown {
  try {
    trap?.();
  } catch (thrown) {
    return thrown;
  }
  return undefined;
}
