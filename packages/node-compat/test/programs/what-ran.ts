/** How long it ran while it slept for 40 ms, and after that until it had run 10 ms more, or for 5 s. */
export function whatRan(read: () => number): { readonly asleep: number; readonly busy: number } {
  const first = read();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40);
  const asleep = read() - first;
  const begun = performance.now();
  while (read() - first - asleep < 10 && performance.now() - begun < 5000);
  return { asleep, busy: read() - first - asleep };
}
