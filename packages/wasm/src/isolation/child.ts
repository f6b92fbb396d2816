// The program of a child process with one guest in it, at the isolation level "process".
import type { Bytes, ChildEnd } from "@keelson/core";
import { FarGuest } from "./far-guest.ts";
import { FrameReader, HEAD_BYTES, sealFrame } from "./frames.ts";
import { writeOver } from "./host-messages.ts";
import { Ask, kindOf } from "./messages.ts";

const end = (globalThis as unknown as Record<symbol, ChildEnd>)[Symbol.for("keelson.end")];
if (end === undefined) throw new TypeError("this program is started by Processes.fork");

const { read, write } = end;
const frames = new FrameReader(Infinity);
/** What came while the guest waited for its host, for afterwards. */
const waiting: Bytes[] = [];

/** The next message that comes; undefined when the host closed its side or died. */
function receive(): Bytes | undefined {
  for (;;) {
    const frame = frames.next();
    if (frame !== undefined) return frame;
    const chunk = read();
    if (chunk === undefined) return undefined;
    frames.add(chunk);
  }
}

const guest = new FarGuest({
  head: HEAD_BYTES,
  send: (message) => write(sealFrame(message)),
  ask(message) {
    write(sealFrame(message));
    for (;;) {
      const frame = receive();
      if (frame === undefined) return writeOver("ABORTED", HEAD_BYTES);
      if (kindOf(frame, HEAD_BYTES) === Ask.answer) return frame;
      waiting.push(frame);
    }
  },
});

// Nothing here ever has to wait for anything but the host, so it does so without an event loop.
for (let message = receive(); message !== undefined; message = waiting.shift() ?? receive())
  guest.receive(message);
