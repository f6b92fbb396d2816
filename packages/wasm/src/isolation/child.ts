// The program of a child process with one guest in it, at the isolation level "process".
import type { Bytes, ChildEnd } from "@keelson/core";
import { FarGuest } from "./far-guest.ts";
import { FrameReader, HEAD_BYTES, sealFrame } from "./frames.ts";
import { writeOver } from "./host-messages.ts";
import { Ask, kindOf, Tell, writeKind } from "./messages.ts";

const end = (globalThis as unknown as Record<symbol, ChildEnd>)[Symbol.for("keelson.end")];
if (end === undefined) throw new TypeError("this program is started by Processes.fork");

const { read, write, ran } = end;
const frames = new FrameReader(Infinity);
// Each runtime has it.
declare const performance: { now(): number };

/** Time between two signs of life while the guest works, ms. */
const SIGN_MS = 100;
let nextSign = Infinity;

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

/**
 * The clock of a guest, which each slice of it reads. What is written now and then is heard by nobody: a host that died has closed the pipe,
 * and writing ends this program.
 */
const clock = {
  now(): number {
    const now = performance.now();
    if (now >= nextSign) {
      nextSign = now + SIGN_MS;
      write(sealFrame(writeKind(Tell.alive, HEAD_BYTES)));
    }
    return now;
  },
  ...(ran && { ran }),
};

const guest = new FarGuest({
  head: HEAD_BYTES,
  clock,
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
for (let message = receive(); message !== undefined; message = waiting.shift() ?? receive()) {
  nextSign = performance.now() + SIGN_MS;
  guest.receive(message);
}
