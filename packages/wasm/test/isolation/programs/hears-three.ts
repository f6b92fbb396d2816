import type { ThreadEnd } from "@keelson/core";

/** Runs the program of a guest's thread, which hears three messages, its code, the making of an instance and a call, and then `after`. */
export async function hearThree(after: () => void): Promise<void> {
  const key = Symbol.for("keelson.end");
  const end = (globalThis as unknown as Record<symbol, ThreadEnd>)[key];
  if (end === undefined) throw new Error("no end of the line");
  let messages = 0;
  const value: ThreadEnd = {
    post: end.post,
    listen: (receive) => end.listen((message) => (++messages <= 3 ? receive(message) : after())),
  };
  Object.defineProperty(globalThis, key, { value, configurable: true });
  await import(new URL("../../../src/isolation/thread.ts", import.meta.url).href);
}
