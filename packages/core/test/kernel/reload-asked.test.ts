import { describe, expect, test } from "vitest";
import { parseManifest } from "../../src/manifest/index.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import type { ModuleDefinition } from "../../src/contract/module.ts";
import type { Kernel, KernelOptions } from "../../src/contract/kernel.ts";
import type { Value } from "../../src/contract/value.ts";
import { type FakeClock, settle } from "../../src/testing/index.ts";
import { testKernel } from "./harness.ts";

/** A module that is asked by hook and by bus, and answers after 10 ms with its version. */
function asked(version: string, overlap: boolean, fails = false): ModuleDefinition {
  return nativeModule({
    id: "m",
    version,
    overlap,
    start({ hooks, bus, clock }) {
      if (fails) throw new Error("on purpose");
      const later = (): Promise<string> => new Promise((resolve) => clock.after(10, () => resolve(version)));
      hooks.filter("page", async (value) => `${value as string} ${await later()}`);
      bus.respond("who", later);
    },
  });
}

/** A kernel on which version 1.0.0 of `make` runs. */
async function running(
  make: (version: string) => ModuleDefinition,
  options: Partial<KernelOptions> = {},
): Promise<{ readonly kernel: Kernel; readonly clock: FakeClock }> {
  const { kernel, platform } = testKernel(options);
  await kernel.register(make("1.0.0"));
  await kernel.start("m");
  return { kernel, clock: platform.clock };
}

const codeFrom = ({ code }: { readonly code: string }): string => code;

describe.each([
  ["with overlap", true],
  ["without overlap", false],
])("a reload %s", (_, overlap) => {
  test("lets filters and requests under way be answered by the version that they reached", async () => {
    const { kernel, clock } = await running((version) => asked(version, overlap));
    const filtered = kernel.hooks.applyFilters("page", "by");
    const answered = kernel.bus.request("who", null);
    const reload = kernel.reload("m", asked("2.0.0", overlap));
    await clock.advance(10);
    expect(await Promise.all([filtered, answered])).toEqual(["by 1.0.0", "1.0.0"]);
    await reload;
    await settle();
    expect(kernel.events().filter(({ topic }) => topic === "module.stopped")).toHaveLength(1);
  });

  test("skips the filter in no run that begins meanwhile, whichever version comes up", async () => {
    const { kernel, clock } = await running((version) => asked(version, overlap));
    for (const [version, fails, serves] of [
      ["2.0.0", false, "2.0.0"],
      ["3.0.0", true, "2.0.0"],
    ] as const) {
      const runs: Promise<unknown>[] = [kernel.hooks.applyFilters("page", "by")];
      let over = false;
      const reload = kernel
        .reload("m", asked(version, overlap, fails))
        .catch(() => {})
        .finally(() => (over = true));
      for (let turn = 0; turn < 1000 && !over; turn++) {
        runs.push(kernel.hooks.applyFilters("page", "by"));
        await (turn % 20 === 0 ? clock.advance(1) : Promise.resolve());
      }
      await reload;
      runs.push(kernel.hooks.applyFilters("page", "by"));
      await clock.advance(20);
      const seen = await Promise.all(runs);
      expect(seen).not.toContain("by");
      expect(seen.at(-1)).toBe(`by ${serves}`);
    }
  });

  test("is not held up for longer than drainMs by what is never answered", async () => {
    const deaf = (version: string): ModuleDefinition =>
      nativeModule({
        id: "m",
        version,
        overlap,
        start: ({ bus, hooks }) => {
          bus.respond("who", () => new Promise(() => {}));
          hooks.action("told", () => new Promise(() => {}));
        },
      });
    const { kernel, clock } = await running(deaf, { drainMs: 1000 });
    const answered = kernel.bus.request("who", null).catch(codeFrom);
    const told = kernel.hooks.runActions("told");
    const reload = kernel.reload("m", deaf("2.0.0"));
    await clock.advance(1000);
    await reload;
    expect(await answered).toBe("REQUEST_FAILED");
    await told;
  });

  test("a stop does not wait for what was asked of the version that is being replaced", async () => {
    const { kernel, clock } = await running((version) => asked(version, overlap));
    const answered = kernel.bus.request("who", null).catch(codeFrom);
    const reload = kernel.reload("m", asked("2.0.0", overlap)).catch(() => {});
    await settle();
    await kernel.stop("m");
    await reload;
    expect(clock.now()).toBe(0);
    expect(await answered).toBe("REQUEST_FAILED");
    expect(await kernel.hooks.applyFilters("page", "by nobody")).toBe("by nobody");
  });
});

test("what is asked of a version that lives in turn while it drains is answered before it stops, and later by the next", async () => {
  const { kernel, clock } = await running((version) => asked(version, false));
  const first = kernel.bus.request("who", null);
  const reload = kernel.reload("m", asked("2.0.0", false));
  await clock.advance(5);
  const second = kernel.bus.request("who", null);
  await clock.advance(5);
  // Nobody answers what comes now: it waits for the version that is not there yet.
  const third = kernel.bus.request("who", null);
  await clock.advance(5);
  await reload;
  await clock.advance(10);
  expect(await Promise.all([first, second, third])).toEqual(["1.0.0", "1.0.0", "2.0.0"]);
});

test("requests that wait are answered by the old version where the new one fails, and are NO_RESPONDER where that fails too", async () => {
  let broken = false;
  const made = (version: string): ModuleDefinition =>
    nativeModule({
      id: "m",
      version,
      overlap: false,
      start({ bus, clock }) {
        if (broken || version !== "1.0.0") throw new Error("on purpose");
        bus.respond("who", () => version);
        return new Promise((resolve) => void clock.after(10, resolve));
      },
    });
  const { kernel, platform } = testKernel({ maxParked: 3 });
  const { clock } = platform;
  await kernel.register(made("1.0.0"));
  const start = kernel.start("m");
  await clock.advance(10);
  await start;
  for (const serving of [true, false]) {
    broken = !serving;
    const reload = kernel.reload("m", made("2.0.0")).catch(codeFrom);
    await settle();
    const asked = [1, 2, 3, 4].map((n) => kernel.bus.request("who", n).catch(codeFrom));
    await clock.advance(10);
    expect(await reload).toBe("RELOAD_FAILED");
    const outcome = serving ? "1.0.0" : "NO_RESPONDER";
    // The fourth found no room.
    expect(await Promise.all(asked)).toEqual([outcome, outcome, outcome, "NO_RESPONDER"]);
  }
});

test("a method that waits for a hook of its own module does not wait for the reload which waits for it", async () => {
  const { kernel, platform } = testKernel();
  const { clock } = platform;
  const made = (version: string): ModuleDefinition =>
    nativeModule({
      id: "m",
      version,
      overlap: false,
      methods: {
        async page() {
          await new Promise<void>((resolve) => void clock.after(10, resolve));
          return [version, await kernel.hooks.applyFilters("page", "by")];
        },
      },
      start: ({ hooks }) => void hooks.filter("page", async (value) => `${value as string} ${version}`),
    });
  await kernel.register(made("1.0.0"));
  await kernel.start("m");
  const page = kernel.invoke("m", "page");
  const reload = kernel.reload("m", made("2.0.0"));
  await clock.advance(10);
  await reload;
  expect(await page).toEqual(["1.0.0", "by 1.0.0"]);
  expect(await kernel.hooks.applyFilters("page", "by")).toBe("by 2.0.0");
});

test("requests that waited for a version are served before those that hear of its coming up", async () => {
  const made = (version: string, heard: unknown[]): ModuleDefinition =>
    nativeModule({
      id: "m",
      version,
      overlap: false,
      start: ({ bus }) => void bus.respond("who", (data) => void heard.push(data)),
    });
  const heard: unknown[] = [];
  const { kernel } = await running((version) => made(version, heard));
  const asked: Promise<unknown>[] = [];
  const ask = (who: string): void => void asked.push(kernel.bus.request("who", who));
  using _stopped = kernel.bus.on("module.stopped", () => ask("in the gap"));
  using _reloaded = kernel.bus.on("module.reloaded", () => ask("at its end"));
  const reload = kernel.reload("m", made("2.0.0", heard)).then(() => ask("behind it"));
  await reload;
  await Promise.all(asked);
  expect(heard).toEqual(["in the gap", "at its end", "behind it"]);
});

test("what a busy version that lives in turn answers may wait for a hook of its own", async () => {
  const made = (version: string): ModuleDefinition =>
    nativeModule({
      id: "m",
      version,
      overlap: false,
      start({ bus, hooks, clock }) {
        hooks.filter("page", async (value) => [...(value as string[]), version]);
        bus.respond("who", async () => {
          await new Promise<void>((resolve) => void clock.after(10, resolve));
          return kernel.hooks.applyFilters("page", [version]);
        });
      },
    });
  const { kernel, clock } = await running(made);
  const answers: Promise<unknown>[] = [];
  let over = false;
  let reload: Promise<void> | undefined;
  // It is never without a request.
  for (let time = 0; time < 20 && !over; time++) {
    answers.push(kernel.bus.request("who", null));
    await clock.advance(3);
    if (time === 4) reload = kernel.reload("m", made("2.0.0")).finally(() => (over = true));
  }
  expect(over).toBe(true);
  await reload;
  await clock.advance(10);
  for (const answer of await Promise.all(answers))
    expect([
      ["1.0.0", "1.0.0"],
      ["2.0.0", "2.0.0"],
    ]).toContainEqual(answer);
});

test("runs of hooks are for the version that drains, and for the new one when its time is over", async () => {
  const version = (number: string): ModuleDefinition =>
    nativeModule({
      id: "m",
      version: number,
      overlap: false,
      methods: { hang: () => new Promise<string>(() => {}) },
      start: ({ hooks, clock }) =>
        void hooks.filter("page", async (value) => {
          if (value === "slowly by") await new Promise<void>((resolve) => void clock.after(2, resolve));
          return `${value as string} ${number}`;
        }),
    });
  const { kernel, clock } = await running(version, { drainMs: 1000 });
  kernel.hooks.filter("page", async (value) => `slowly ${value as string}`, { priority: 1 });
  const hanging = kernel.invoke("m", "hang").catch(codeFrom);
  const reload = kernel.reload("m", version("2.0.0"));
  const run = kernel.hooks.applyFilters("page", "by");
  await clock.advance(999);
  expect(await run).toBe("slowly by 1.0.0");
  await clock.advance(1);
  const late = kernel.hooks.applyFilters("page", "by");
  await reload;
  await clock.advance(2);
  expect(await hanging).toBe("ABORTED");
  expect(await late).toBe("slowly by 2.0.0");
});

test.each(["who", "page"])(
  "what a version that lives in turn calls of itself to answer %s does not wait for the reload",
  async (what) => {
    const version = (number: string): ModuleDefinition =>
      nativeModule({
        id: "m",
        version: number,
        overlap: false,
        methods: { version: () => number },
        start(context) {
          const later = (): Promise<Value> =>
            new Promise((resolve) => context.clock.after(10, () => resolve(context.invoke("m", "version"))));
          context.bus.respond("who", later);
          context.hooks.filter("page", later);
        },
      });
    const { kernel, clock } = await running(version);
    const answer = what === "who" ? kernel.bus.request(what, null) : kernel.hooks.applyFilters(what, "by");
    const reload = kernel.reload("m", version("2.0.0"));
    await clock.advance(10);
    await reload;
    expect(await answer).toBe("1.0.0");
  },
);

test("a manifest's filters are for the version that drains, and then held for the new one", async () => {
  const { kernel } = testKernel();
  const manifest = parseManifest({
    apiVersion: "keelson/v1",
    id: "m",
    version: "1.0.0",
    kind: "native",
    entry: "m.js",
    overlap: false,
    hooks: [{ type: "filter", name: "page", method: "mark" }],
  });
  const version = (mark: string): ModuleDefinition => ({
    ...nativeModule({
      id: "m",
      version: "1.0.0",
      overlap: false,
      methods: { mark: async ({ payload }) => `${(payload as { value: string }).value} ${mark}` },
    }),
    manifest,
  });
  await kernel.register(version("old"));
  await kernel.start("m");
  const reload = kernel.reload("m", version("new"));
  const during = kernel.hooks.applyFilters("page", "by");
  let over = false;
  void reload.finally(() => (over = true));
  const runs: Promise<Value>[] = [];
  for (let turn = 0; turn < 1000 && !over; turn++) {
    runs.push(kernel.hooks.applyFilters("page", "by"));
    await Promise.resolve();
  }
  expect(await during).toBe("by old");
  const seen = await Promise.all(runs);
  expect(new Set(seen)).toEqual(new Set(["by old", "by new"]));
});

test("a start that waits for a hook of the module itself goes on after five seconds, without that handler", async () => {
  const { kernel, platform } = testKernel();
  const { clock } = platform;
  kernel.phase("post-start", () => kernel.hooks.runActions("up"));
  const version = (number: string): ModuleDefinition =>
    nativeModule({
      id: "m",
      version: number,
      overlap: false,
      start: ({ hooks }) => void hooks.action("up", () => {}),
    });
  await kernel.register(version("1.0.0"));
  await kernel.start("m");
  const reload = kernel.reload("m", version("2.0.0"));
  await clock.advance(5000);
  await reload;
  expect(kernel.list()).toMatchObject([{ state: "running", metadata: { version: "2.0.0" } }]);
});
