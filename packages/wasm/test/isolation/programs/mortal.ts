// The program of a guest's thread, which dies of an error that nobody catches when it is called a second time.
import type { ThreadEnd } from "@keelson/core";

const key = Symbol.for("keelson.end");
const end = (globalThis as unknown as Record<symbol, ThreadEnd>)[key];
if (end === undefined) throw new Error("no end of the line");
let messages = 0;
const mortal: ThreadEnd = {
  post: end.post,
  listen: (receive) =>
    end.listen((message) => {
      // The first three: the code, the making of an instance, a call.
      if (++messages > 3) throw new Error("this thread dies");
      receive(message);
    }),
};
const program = new URL("../../../src/isolation/thread.ts", import.meta.url);
Object.defineProperty(globalThis, key, { value: mortal, configurable: true });
await import(program.href);
