// A thread that answers what it is told; "throw" throws where nobody catches.
import type { ThreadEnd } from "@keelson/core";
import { whatRan } from "./what-ran.ts";

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
