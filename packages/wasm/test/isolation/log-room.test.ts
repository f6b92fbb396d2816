import { expect, test } from "vitest";
import { LogRoom } from "../../src/isolation/log-room.ts";

const MIB = 2 ** 20;
const flag = (value = 0): Int32Array => new Int32Array(new SharedArrayBuffer(4)).fill(value);

/** Both ends of one room. */
function rooms(): { readonly thread: LogRoom; readonly host: LogRoom } {
  const host = new LogRoom();
  return { host, thread: new LogRoom(host.buffer) };
}

test("there is room for 1,024 short records, or for 4 MiB of long ones, until the host acknowledges them", () => {
  for (const [bytes, count] of [
    [1, 1_024],
    [4_096, 1_024],
    [MIB, 4],
    [MIB + 1, 3],
  ] as const) {
    const { host, thread } = rooms();
    for (let sent = 0; sent < count; sent++) expect(thread.enter(bytes)).toBe(true);
    expect(thread.enter(bytes)).toBe(false);
    host.came(bytes);
    expect(thread.enter(bytes)).toBe(false);
    host.acknowledge();
    expect(thread.enter(bytes)).toBe(true);
    expect(thread.enter(bytes)).toBe(false);
  }
});

test("a record that is larger than the room goes when nothing else is on its way", () => {
  const { host, thread } = rooms();
  expect(thread.enter(9 * MIB)).toBe(true);
  expect(thread.enter(1)).toBe(false);
  host.came(9 * MIB);
  host.acknowledge();
  expect(thread.enter(1)).toBe(true);
  expect(thread.enter(9 * MIB)).toBe(false);
});

test("counts that wrap round change nothing", () => {
  const { host, thread } = rooms();
  // Four times round.
  for (let round = 0; round < 4 * 2 ** 12; round++) {
    expect(thread.enter(MIB)).toBe(true);
    host.came(MIB);
    host.acknowledge();
  }
  for (let sent = 0; sent < 4; sent++) expect(thread.enter(MIB)).toBe(true);
  expect(thread.enter(MIB)).toBe(false);
});

test("a wait ends by room, by the flag and by the deadline, and the record is counted in any case", () => {
  const { host, thread } = rooms();
  expect(thread.enterLater(MIB, flag(1), 0)).toBe("room");
  for (let sent = 0; sent < 3; sent++) thread.enter(MIB);
  expect(thread.enterLater(MIB, flag(1), Infinity)).toBe("stopped");
  expect(thread.enterLater(MIB, flag(), performance.now() + 1)).toBe("late");
  for (let came = 0; came < 2; came++) host.came(MIB);
  host.acknowledge();
  // Six were sent, and two have come.
  expect(thread.enter(MIB)).toBe(false);
  host.came(1);
  host.acknowledge();
  expect(thread.enter(MIB)).toBe(false);
  for (let came = 0; came < 4; came++) host.came(MIB);
  host.acknowledge();
  expect(thread.enter(MIB)).toBe(true);
});
