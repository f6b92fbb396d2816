// A thread that answers what it is told; "throw" throws where nobody catches.
import type { ThreadEnd } from "@keelson/core";

const end = (globalThis as unknown as Record<symbol, ThreadEnd>)[Symbol.for("keelson.end")];
if (end === undefined) throw new Error("no end of the line");
const { listen, post, ran } = end;
listen((message) => {
  if (message === "ran") return post(ran === undefined ? "untold" : whatRan(ran));
  if (message === "throw") throw new Error("nobody catches this");
  if (message instanceof Int32Array) {
    Atomics.store(message, 0, 7);
    return post("stored");
  }
  if (message instanceof Uint8Array) return post(message, [message.buffer as ArrayBuffer]);
  post(message instanceof WebAssembly.Module ? WebAssembly.Module.exports(message).length : message);
});

/** How long it ran while it slept for 40 ms, and after that until it had run 10 ms more, or for 5 s. */
function whatRan(read: () => number): { readonly asleep: number; readonly busy: number } {
  const first = read();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40);
  const asleep = read() - first;
  const begun = performance.now();
  while (read() - first - asleep < 10 && performance.now() - begun < 5000);
  return { asleep, busy: read() - first - asleep };
}
