// The program of a thread with one guest in it, at the isolation level "worker".
import type { Bytes, ThreadEnd } from "@keelson/core";
import type { Outline } from "../binary/outline.ts";
import { FarGuest } from "./far-guest.ts";
import { writeOver } from "./host-messages.ts";
import { LogRoom } from "./log-room.ts";
import { Tell, writeKind, type Plan } from "./messages.ts";
import { SharedAnswer } from "./shared-answer.ts";

/** The first message of a thread. All others are bytes. */
export interface ThreadLoad {
  readonly plan: Plan;
  readonly module: WebAssembly.Module;
  readonly outline: Outline | undefined;
  /** Shared with the host: other than 0 stops the guest. */
  readonly interrupt: Int32Array;
  /** Where the host leaves its answers: see {@link SharedAnswer}. */
  readonly answers: SharedArrayBuffer;
  /** How far the host is with the log: see {@link LogRoom}. */
  readonly room: SharedArrayBuffer;
}

const end = (globalThis as unknown as Record<symbol, ThreadEnd>)[Symbol.for("keelson.end")];
if (end === undefined) throw new TypeError("this program is started by Platform.workers");

const { post, listen, ran } = end;
// Each runtime has it.
declare const performance: { now(): number };
const clock = { now: () => performance.now(), ...(ran && { ran }) };
let guest: FarGuest | undefined;

listen((message) => {
  if (message instanceof Uint8Array) return guest?.receive(message as Bytes);
  const { plan, module, outline, interrupt, answers, room } = message as ThreadLoad;
  const shared = new SharedAnswer(answers);
  const send = (bytes: Bytes): void => post(bytes, transferable(bytes));
  guest = new FarGuest({
    head: 0,
    send,
    ask(question) {
      // It may be that nobody hears it any more.
      if (Atomics.load(interrupt, 0) !== 0) return writeOver("ABORTED", 0);
      send(question);
      return shared.take(() => send(writeKind(Tell.more, 0)));
    },
    clock,
    interrupt,
    room: new LogRoom(room),
  });
  guest.load(plan, { module, outline });
});

/** Moving a buffer costs more than copying a small one. */
function transferable({ buffer }: Bytes): readonly ArrayBuffer[] | undefined {
  return buffer.byteLength > 16_384 ? [buffer] : undefined;
}
