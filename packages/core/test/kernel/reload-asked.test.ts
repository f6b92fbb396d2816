import { describe, expect, test } from "vitest";
import { parseManifest } from "../../src/manifest/index.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import type { ModuleDefinition } from "../../src/contract/module.ts";
import type { Value } from "../../src/contract/value.ts";
import { settle } from "../../src/testing/index.ts";
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

describe.each([
  ["with overlap", true],
  ["without overlap", false],
])("a reload %s", (_, overlap) => {
  test("lets filters and requests under way be answered by the version that they reached", async () => {
    const { kernel, platform } = testKernel();
    const { clock } = platform;
    await kernel.register(asked("1.0.0", overlap));
    await kernel.start("m");
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
    const { kernel, platform } = testKernel();
    const { clock } = platform;
    await kernel.register(asked("1.0.0", overlap));
    await kernel.start("m");
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
    const { kernel, platform } = testKernel({ drainMs: 1000 });
    const { clock } = platform;
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
    await kernel.register(deaf("1.0.0"));
    await kernel.start("m");
    const answered = kernel.bus.request("who", null).catch(({ code }: { code: string }) => code);
    const told = kernel.hooks.runActions("told");
    const reload = kernel.reload("m", deaf("2.0.0"));
    await clock.advance(1000);
    await reload;
    expect(await answered).toBe("REQUEST_FAILED");
    await told;
  });

  test("a stop does not wait for what was asked of the version that is being replaced", async () => {
    const { kernel, platform } = testKernel();
    const { clock } = platform;
    await kernel.register(asked("1.0.0", overlap));
    await kernel.start("m");
    const answered = kernel.bus.request("who", null).catch(({ code }: { code: string }) => code);
    const reload = kernel.reload("m", asked("2.0.0", overlap)).catch(() => {});
    await settle();
    await kernel.stop("m");
    await reload;
    expect(clock.now()).toBe(0);
    expect(await answered).toBe("REQUEST_FAILED");
    expect(await kernel.hooks.applyFilters("page", "by nobody")).toBe("by nobody");
  });
});

test("what is asked of a version that lives in turn while it drains is answered before it stops", async () => {
  const { kernel, platform } = testKernel();
  const { clock } = platform;
  await kernel.register(asked("1.0.0", false));
  await kernel.start("m");
  const first = kernel.bus.request("who", null);
  const reload = kernel.reload("m", asked("2.0.0", false));
  await clock.advance(5);
  const second = kernel.bus.request("who", null);
  await clock.advance(5);
  // Nobody answers what comes now: it would have to wait for a version that is not there yet.
  const third = kernel.bus.request("who", null).catch(({ code }: { code: string }) => code);
  await clock.advance(5);
  await reload;
  expect(await Promise.all([first, second, third])).toEqual(["1.0.0", "1.0.0", "NO_RESPONDER"]);
  const fourth = kernel.bus.request("who", null);
  await clock.advance(10);
  expect(await fourth).toBe("2.0.0");
});

test("runs of hooks that wait for a drain reach the new version, also when the drain takes all its time", async () => {
  const { kernel, platform } = testKernel({ drainMs: 1000 });
  const { clock } = platform;
  const version = (number: string): ModuleDefinition =>
    nativeModule({
      id: "m",
      version: number,
      overlap: false,
      methods: { hang: () => new Promise<string>(() => {}) },
      start: ({ hooks }) => void hooks.filter("page", async (value) => `${value as string} ${number}`),
    });
  await kernel.register(version("1.0.0"));
  await kernel.start("m");
  const hanging = kernel.invoke("m", "hang").catch(({ code }: { code: string }) => code);
  const reload = kernel.reload("m", version("2.0.0"));
  const run = kernel.hooks.applyFilters("page", "by");
  await clock.advance(1001);
  await reload;
  expect(await hanging).toBe("ABORTED");
  expect(await run).toBe("by 2.0.0");
});

test.each(["who", "page"])(
  "what a version that lives in turn calls of itself to answer %s does not wait for the reload",
  async (what) => {
    const { kernel, platform } = testKernel();
    const { clock } = platform;
    const version = (number: string): ModuleDefinition =>
      nativeModule({
        id: "m",
        version: number,
        overlap: false,
        methods: { version: () => number },
        start(context) {
          const later = (): Promise<Value> =>
            new Promise((resolve) => clock.after(10, () => resolve(context.invoke("m", "version"))));
          context.bus.respond("who", later);
          context.hooks.filter("page", later);
        },
      });
    await kernel.register(version("1.0.0"));
    await kernel.start("m");
    const answer = what === "who" ? kernel.bus.request(what, null) : kernel.hooks.applyFilters(what, "by");
    const reload = kernel.reload("m", version("2.0.0"));
    await clock.advance(10);
    await reload;
    expect(await answer).toBe("1.0.0");
  },
);

test("a manifest's filters are held as well: without overlap they reach the new version", async () => {
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
  const runs = Array.from({ length: 5 }, () => kernel.hooks.applyFilters("page", "by"));
  await reload;
  expect(await Promise.all(runs)).toEqual(Array.from({ length: 5 }, () => "by new"));
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
