// The program of a child process with one guest in it, at the isolation level "process".
import type { ChildEnd } from "@keelson/core";
import { FarGuest } from "./far-guest.ts";
import { FrameReader, HEAD_BYTES, sealFrame } from "./frames.ts";

const end = (globalThis as unknown as Record<symbol, ChildEnd>)[Symbol.for("keelson.end")];
if (end === undefined) throw new TypeError("this program is started by Processes.fork");

const { listen, write } = end;
const guest = new FarGuest((message) => write(sealFrame(message)), HEAD_BYTES);
const frames = new FrameReader(Infinity, (frame) => guest.receive(frame));

// At the end of its input nothing holds this program any more.
listen(
  (bytes) => frames.push(bytes),
  () => undefined,
);
