import { expect, test } from "vitest";
import type { ModuleLoader } from "../../src/contract/module.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import { rejection } from "../support/errors.ts";
import { testKernel } from "./harness.ts";

/** A kind that core knows nothing of. */
const shout: ModuleLoader = {
  kind: "shout",
  extensions: [".shout"],
  async load(manifest, base, platform) {
    const text = new TextDecoder().decode(await platform.files?.read(new URL(manifest.entry ?? "", base)));
    return nativeModule({
      id: manifest.id,
      version: manifest.version,
      methods: {
        shout: () => text.toUpperCase(),
        title: ({ payload }) => `${String((payload as { value: string }).value)}!`,
      },
    });
  },
};
const manifest = {
  apiVersion: "keelson/v1",
  id: "a",
  name: "A",
  version: "1.2.3",
  kind: "shout",
  entry: "a.shout",
};

test("a kind that core does not know plugs in by its loader, with a manifest, a folder, or a bare file", async () => {
  const { kernel, platform } = testKernel({ loaders: [shout] });
  platform.files.put("/p/manifest.json", JSON.stringify(manifest));
  platform.files.put("/p/a.shout", "hello");
  for (const source of ["/p/manifest.json", "/p", "/p/a.shout", new URL("file:///p/manifest.json")]) {
    const plugin = await kernel.load(source);
    expect(await plugin.call("shout")).toBe("HELLO");
    expect(plugin.callSync("shout")).toBe("HELLO");
    await plugin[Symbol.asyncDispose]();
    expect(kernel.list()).toEqual([]);
  }
});

test("filters that a manifest asks for call the module's method while it runs", async () => {
  const { kernel, platform } = testKernel({ loaders: [shout] });
  platform.files.put(
    "/p/manifest.json",
    JSON.stringify({ ...manifest, hooks: [{ type: "filter", name: "title" }] }),
  );
  platform.files.put("/p/a.shout", "hello");
  const plugin = await kernel.load("/p");
  expect(await kernel.hooks.applyFilters("title", "hi")).toBe("hi!");
  await kernel.stop(plugin.id);
  expect(await kernel.hooks.applyFilters("title", "hi")).toBe("hi");
});

test("a call takes no longer than the manifest's timeoutMs, whatever the caller gives it", async () => {
  const hanging: ModuleLoader = {
    kind: "shout",
    async load({ id }) {
      return nativeModule({ id, methods: { hang: () => new Promise(() => {}) } });
    },
  };
  const { kernel, platform } = testKernel({ loaders: [hanging] });
  platform.files.put("/p/manifest.json", JSON.stringify({ ...manifest, limits: { timeoutMs: 200 } }));
  platform.files.put("/p/a.shout", "");
  const plugin = await kernel.load("/p");
  const long = rejection(plugin.call("hang", undefined, { timeoutMs: 60_000 }));
  const short = rejection(plugin.call("hang", undefined, { timeoutMs: 50 }));
  await platform.clock.advance(50);
  expect(await short).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { timeoutMs: 50 } });
  await platform.clock.advance(150);
  expect(await long).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { timeoutMs: 200 } });
});

test.each([
  ["/none", "NOT_FOUND"],
  ["/p/a.unknown", "UNKNOWN_KIND"],
  ["/p/other-kind.json", "UNKNOWN_KIND"],
  ["/p/broken.json", "INVALID_MANIFEST"],
  ["/p/no-entry.json", "NOT_FOUND"],
  ["/p/unchecked.json", "UNSUPPORTED"],
])("%s is %s, and nothing is registered", async (source, code) => {
  const { kernel, platform } = testKernel({ loaders: [shout] });
  platform.files.put("/p/a.unknown", "");
  platform.files.put("/p/other-kind.json", JSON.stringify({ ...manifest, kind: "other" }));
  platform.files.put("/p/broken.json", "{");
  platform.files.put("/p/a.shout", "hello");
  const integrity = `sha256-${"A".repeat(43)}=`;
  platform.files.put("/p/unchecked.json", JSON.stringify({ ...manifest, integrity }));
  platform.files.put("/p/no-entry.json", JSON.stringify({ ...manifest, entry: "none.shout" }));
  expect((await rejection(kernel.load(source))).code).toBe(code);
  expect(kernel.list()).toEqual([]);
});

test("a plugin that fails to start is not left registered", async () => {
  const failing: ModuleLoader = {
    kind: "shout",
    async load({ id }) {
      return nativeModule({ id, start: () => Promise.reject(new Error("no")) });
    },
  };
  const { kernel, platform } = testKernel({ loaders: [failing] });
  platform.files.put("/p/manifest.json", JSON.stringify(manifest));
  platform.files.put("/p/a.shout", "hello");
  expect((await rejection(kernel.load("/p"))).code).toBe("MODULE_FAILED");
  expect(kernel.list()).toEqual([]);
});
