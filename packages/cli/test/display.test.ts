import { createKernel, nativeModule } from "@keelson/core";
import { createTestPlatform, settle } from "@keelson/core/testing";
import { expect, test } from "vitest";
import { createDisplay, type DisplayOutput } from "../src/display.ts";

/** A terminal that understands what the table is drawn with: up so many lines, clear to the end, cursor on and off. */
function createScreen(size: Partial<DisplayOutput> = {}) {
  let lines: string[] = [""];
  const screen = {
    writes: 0,
    cursor: true,
    isTTY: true,
    columns: 80,
    rows: 24,
    ...size,
    write,
    text: () => lines.join("\n").trimEnd(),
  };
  function write(text: string): void {
    screen.writes++;
    // oxlint-disable-next-line no-control-regex -- a terminal reads control characters
    for (const part of text.match(/\u001b\[\??\d+[A-Za-z]|\n|\r|[^\u001b\n\r]+/g) ?? []) {
      const up = /^\u001b\[(\d+)A$/.exec(part)?.[1];
      if (up !== undefined) {
        screen.writes += 0;
        at = Math.max(0, at - Number(up));
      } else if (part === "\u001b[0J") lines = [...lines.slice(0, at), ""];
      else if (part === "\u001b[?25l") screen.cursor = false;
      else if (part === "\u001b[?25h") screen.cursor = true;
      else if (part === "\n") {
        at++;
        lines[at] ??= "";
      } else if (part !== "\r" && !part.startsWith("\u001b")) lines[at] += part;
    }
  }
  let at = 0;
  return screen;
}

function createHost() {
  const platform = createTestPlatform();
  return { kernel: createKernel({ platform }), clock: platform.clock };
}

test("the table is redrawn in its place: there is one of it, and it says how things are", async () => {
  const screen = createScreen();
  const { kernel, clock } = createHost();
  using display = createDisplay({ output: screen, color: false, heading: () => ["heading"] });
  display.show(kernel);
  expect(screen.cursor).toBe(false);
  await kernel.register(nativeModule({ id: "one" }));
  await kernel.start();
  await clock.advance(100);
  expect(screen.text()).toMatch(/^heading\nMODULE.*\none +native +0\.0\.0 +running +1 +0$/);
  await kernel.stop();
  await clock.advance(100);
  expect(screen.text()).toMatch(/^heading\nMODULE.*\none .* stopped +1 +0$/);
  await kernel.shutdown();
});

test("a storm of events is drawn once, and a quiet kernel each second", async () => {
  const screen = createScreen();
  const { kernel, clock } = createHost();
  using display = createDisplay({ output: screen, color: false });
  display.show(kernel);
  await clock.advance(500);
  const before = screen.writes;
  for (let count = 0; count < 50; count++) await kernel.register(nativeModule({ id: `m${count}` }));
  await kernel.start();
  await settle();
  await clock.advance(100);
  expect(screen.writes - before).toBeLessThanOrEqual(2);
  const quiet = screen.writes;
  await clock.advance(3000);
  expect(screen.writes - quiet).toBeGreaterThanOrEqual(2);
  expect(screen.writes - quiet).toBeLessThanOrEqual(3);
  await kernel.shutdown();
});

test("lines stand above the table, log records among them", async () => {
  const screen = createScreen();
  const { kernel } = createHost();
  using display = createDisplay({ output: screen, color: false });
  display.line("before");
  display.show(kernel);
  display.line("first");
  display.line("second");
  expect(screen.text()).toMatch(/^before\nfirst\nsecond\nMODULE/);
  await kernel.shutdown();
});

test("a table taller or wider than the screen is cut, so that it can be drawn over", async () => {
  const screen = createScreen({ rows: 6, columns: 20 });
  const { kernel, clock } = createHost();
  using display = createDisplay({ output: screen, color: true });
  display.show(kernel);
  for (let count = 0; count < 20; count++)
    await kernel.register(nativeModule({ id: `module-with-a-long-id-${count}` }));
  await clock.advance(200);
  await clock.advance(2000);
  const lines = screen.text().split("\n");
  expect(lines).toHaveLength(5);
  expect(lines.at(-1)).toBe("… and 17 more");
  for (const line of lines) expect([...line].length).toBeLessThanOrEqual(20);
  await kernel.shutdown();
});

test("a long id leaves room for the state on a narrow screen, and wide characters count twice", async () => {
  const screen = createScreen({ columns: 70 });
  const { kernel, clock } = createHost();
  using display = createDisplay({ output: screen, color: false });
  display.show(kernel);
  const id = "a-module-whose-id-is-as-long-as-ids-may-be-at-most-64-characters";
  await kernel.register(nativeModule({ id, start: () => Promise.reject(new Error("失敗".repeat(30))) }));
  await kernel.start().catch(() => {});
  await clock.advance(200);
  const [, line = ""] = screen.text().split("\n");
  expect(line).toMatch(/^a-module-whose-id-is-a…  native  0\.0\.0    failed /);
  const wide = line.replaceAll(/[^失敗]/g, "").length;
  expect(line.length + wide).toBeLessThanOrEqual(70);
  await kernel.shutdown();
});

test("disposing leaves the last table, gives the cursor back and sets no more timers", async () => {
  const screen = createScreen();
  const { kernel, clock } = createHost();
  const display = createDisplay({ output: screen, color: false });
  display.show(kernel);
  await kernel.register(nativeModule({ id: "one" }));
  display[Symbol.dispose]();
  display[Symbol.dispose]();
  expect(screen.text()).toContain("one");
  expect(screen.cursor).toBe(true);
  expect(clock.pending).toBe(0);
  const { writes } = screen;
  await kernel.start();
  await clock.advance(5000);
  expect(screen.writes).toBe(writes);
  await kernel.shutdown();
});

test("without a terminal each event that matters is a line, and nothing is coloured or redrawn", async () => {
  let text = "";
  const { kernel } = createHost();
  using display = createDisplay({ output: { write: (more) => (text += more) } });
  expect(display.live).toBe(false);
  display.show(kernel);
  await kernel.register(
    nativeModule({
      id: "one",
      methods: {
        fail: () => {
          throw new Error("a\u001b[2J\nb");
        },
      },
    }),
  );
  await kernel.start();
  await kernel.invoke("one", "fail").catch(() => {});
  kernel.bus.publish("host.chatter", 1);
  await kernel.shutdown();
  // oxlint-disable-next-line no-control-regex -- what a module says must not steer the terminal
  expect(text).not.toMatch(/\u001b/);
  expect(text.split("\n").map((line) => line.split(" ")[1])).toEqual([
    "module.loaded",
    "module.started",
    "module.call_failed",
    "kernel.stopping",
    "module.stopped",
    "kernel.stopped",
    undefined,
  ]);
});

test("a display on what cannot be written to is INVALID_OPTIONS", () => {
  for (const output of [{}, { write: "x" }])
    expect(() => createDisplay({ output: output as never })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS" }) as Error,
    );
});
