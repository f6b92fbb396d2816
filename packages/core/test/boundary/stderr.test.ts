import { describe, expect, test } from "vitest";
import { createStderrLog } from "../../src/boundary/stderr.ts";
import { createFakeClock, createMemoryLog } from "../../src/testing/index.ts";

function scene() {
  const clock = createFakeClock();
  const log = createMemoryLog();
  const stderr = createStderrLog(log, clock, { pid: 1 });
  const say = (text: string): void => stderr.reader.push(new TextEncoder().encode(text));
  const levels = (): string => log.records.map(({ level }) => level.charAt(0)).join("");
  return { clock, log, stderr, say, levels };
}

describe("the log of standard error", () => {
  test("takes 1000 lines of each second and tells once how many were left out", async () => {
    const { clock, log, stderr, say, levels } = scene();
    await clock.advance(5000);
    say("a\n".repeat(1003));
    await clock.advance(999);
    say("b\n");
    expect(levels()).toBe("i".repeat(1000));
    await clock.advance(1);
    say("c\nd\n");
    expect(levels().slice(1000)).toBe("wii");
    expect(log.records[1000]?.fields).toEqual({ pid: 1, leftOut: 4 });
    say("e\n".repeat(999));
    stderr.reader.end();
    expect(levels().slice(1003)).toBe(`${"i".repeat(998)}w`);
    expect(log.records.at(-1)?.fields).toEqual({ pid: 1, leftOut: 1 });
  });

  test("takes 1 MiB of each second, whatever the lines", async () => {
    const { clock, say, levels, stderr } = scene();
    const line = `${"x".repeat(65_536)}\n`;
    await clock.advance(1000);
    for (let second = 0; second < 2; second++) {
      say(line.repeat(16));
      await clock.advance(1000);
    }
    expect(levels()).toBe("i".repeat(32));
    say(line.repeat(16));
    say("y\n");
    say("the rest");
    stderr.reader.end();
    expect(levels().slice(32)).toBe(`${"i".repeat(16)}w`);
  });

  test("nothing left out is nothing told", () => {
    const { say, levels, stderr } = scene();
    say("a\nb");
    stderr.reader.end();
    expect(levels()).toBe("ii");
  });

  test("keeps the last 20 lines, of 200 characters each", () => {
    const { say, stderr } = scene();
    for (let count = 0; count < 100; count++) {
      say(`${count}\n`);
      const kept = Math.min(20, count + 1);
      expect(stderr.tail()).toEqual(Array.from({ length: kept }, (_, at) => String(count + 1 - kept + at)));
    }
    say(`${"x".repeat(200)}\n${"x".repeat(300)}\n`);
    expect(stderr.tail().slice(-2)).toEqual(["x".repeat(200), `${"x".repeat(200)}…`]);
  });
});
