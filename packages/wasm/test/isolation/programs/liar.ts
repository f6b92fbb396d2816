// A guest's process that breaks the protocol: a call whose method is the name of a lie makes it tell that, all others are its guest's.
import type { Bytes, ChildEnd } from "@keelson/core";
import { FarGuest } from "../../../src/isolation/far-guest.ts";
import { FrameReader, HEAD_BYTES, sealFrame } from "../../../src/isolation/frames.ts";
import { writeHostCall } from "../../../src/isolation/host-messages.ts";
import { Ask, kindOf, readCall, Tell, writeKind, writeMade } from "../../../src/isolation/messages.ts";

const end = (globalThis as unknown as Record<symbol, ChildEnd>)[Symbol.for("keelson.end")];
if (end === undefined) throw new TypeError("this program is started by Processes.fork");
const { read, write } = end;
const send = (message: Bytes): void => write(sealFrame(message));
let last: Bytes = new Uint8Array();
const guest = new FarGuest({
  head: HEAD_BYTES,
  clock: { now: () => performance.now() },
  send(message) {
    last = message.slice();
    send(message);
  },
  ask: () => {
    throw new Error("the guest of a liar calls nobody");
  },
});

const lies: Record<string, () => void> = {
  "a length that is none": () => write(Uint8Array.of(0, 0, 0, 2)),
  "a length beyond all": () => write(Uint8Array.of(255, 255, 255, 255)),
  "a message cut short": () => send(writeKind(Tell.answer, HEAD_BYTES)),
  "an instance where a call is answered": () =>
    send(writeMade({ memoryBytes: 65_536, spent: new Float64Array([3, 2]) }, HEAD_BYTES)),
  "a function that there is not": () => send(writeHostCall(9, [1], HEAD_BYTES)),
  "too many arguments": () => send(writeHostCall(0, [1, 2], HEAD_BYTES)),
  "an argument of another kind": () => send(writeHostCall(0, [1n], HEAD_BYTES)),
  "half a message before its end": () => {
    write(Uint8Array.of(0, 0, 0, 20, Tell.answer));
    process.exit(0);
  },
  "two calls of the host at once": () => {
    send(writeHostCall(0, [1], HEAD_BYTES));
    send(writeHostCall(0, [2], HEAD_BYTES));
  },
};
/** Told behind an answer, when nothing is asked, by the call's argument. */
const afterthoughts: Record<number, () => void> = {
  1: () => send(last),
  2: () => send(writeHostCall(0, [1], HEAD_BYTES)),
};

const frames = new FrameReader(Infinity);
for (let chunk = read(); chunk !== undefined; chunk = read()) {
  frames.add(chunk);
  for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
    const said = frame.slice();
    const call = kindOf(said, HEAD_BYTES) === Ask.call ? readCall(said, HEAD_BYTES) : undefined;
    const lie = call && lies[call.method];
    if (lie === undefined) guest.receive(said);
    else lie();
    if (typeof call?.payload === "number") afterthoughts[call.payload]?.();
  }
}
