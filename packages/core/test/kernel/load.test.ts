import { expect, test } from "vitest";
import type { Manifest } from "../../src/contract/manifest.ts";
import type { Module, ModuleDefinition, ModuleLoader } from "../../src/contract/module.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import { createTestPlatform, settle } from "../../src/testing/index.ts";
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
    // Also one that is gone already.
    await plugin[Symbol.asyncDispose]();
  }
});

test("a manifest of more than a MiB is INVALID_MANIFEST and is not read: a file of any size costs its writer nothing", async () => {
  const { kernel, platform } = testKernel({ loaders: [shout] });
  const read: string[] = [];
  const { files } = platform;
  const whole = files.read.bind(files);
  files.read = (file) => {
    read.push(file.pathname);
    return whole(file);
  };
  files.put("/p/a.shout", "hello");
  files.put("/p/manifest.json", JSON.stringify(manifest).padEnd(2 ** 20 + 1));
  for (const source of ["/p", "/p/manifest.json"])
    expect((await rejection(kernel.load(source))).code).toBe("INVALID_MANIFEST");
  expect(read).toEqual([]);
  files.put("/p/manifest.json", JSON.stringify(manifest).padEnd(2 ** 20));
  expect(await (await kernel.load("/p")).call("shout")).toBe("HELLO");
});

test("a plugin that was unloaded while it started is told of that, and its handle leaves a successor alone", async () => {
  const { kernel, platform } = testKernel({
    loaders: [
      {
        kind: "shout",
        load: async ({ id }) => nativeModule({ id, start: () => new Promise(() => {}) }),
      },
    ],
  });
  platform.files.put("/p/manifest.json", JSON.stringify(manifest));
  platform.files.put("/p/a.shout", "hello");
  const loading = rejection(kernel.load("/p"));
  await settle();
  await kernel.unload("a");
  await kernel.register(nativeModule({ id: "a", version: "2.0.0" }));
  expect((await loading).code).toBe("ABORTED");
  expect(kernel.list()).toMatchObject([{ metadata: { version: "2.0.0" } }]);

  await kernel.unload("a");
  const plugin = await kernel.load("/p", { start: false });
  await kernel.unload("a");
  await kernel.register(nativeModule({ id: "a", version: "3.0.0" }));
  await plugin[Symbol.asyncDispose]();
  expect(kernel.list()).toMatchObject([{ metadata: { version: "3.0.0" } }]);
});

test("a plugin that does not start does not stay, even where a hook refuses to unload it", async () => {
  const { kernel, platform } = testKernel({
    loaders: [
      {
        kind: "shout",
        load: async ({ id }) => nativeModule({ id, start: () => Promise.reject(new Error("no")) }),
      },
    ],
  });
  platform.files.put("/p/manifest.json", JSON.stringify(manifest));
  platform.files.put("/p/a.shout", "hello");
  kernel.phase("pre-unload", () => Promise.reject(new Error("never")), { critical: true });
  expect((await rejection(kernel.load("/p"))).code).toBe("MODULE_FAILED");
  expect(kernel.list()).toEqual([]);
});

test("a kind of its own finds its settings in the manifest, as they were written", async () => {
  let seen: Manifest["settings"];
  const { kernel, platform } = testKernel({
    loaders: [
      {
        kind: "remote",
        async load({ id, settings }) {
          seen = settings;
          return nativeModule({ id });
        },
      },
    ],
  });
  const settings = { url: "https://example.org/rpc", retries: 3, tags: ["a", { deep: null }] };
  const { entry: _, ...rest } = manifest;
  platform.files.put("/p/manifest.json", JSON.stringify({ ...rest, kind: "remote", settings }));
  await kernel.load("/p");
  expect(seen).toEqual(settings);
  expect(Object.isFrozen(seen?.["tags"])).toBe(true);
});

test("reload() takes a path as load() does: the new manifest counts, and a bad one changes nothing", async () => {
  const { kernel, platform } = testKernel({ loaders: [shout] });
  const hooks = [{ type: "filter", name: "title" }];
  platform.files.put("/p/manifest.json", JSON.stringify({ ...manifest, hooks }));
  platform.files.put("/p/a.shout", "hello");
  await kernel.load("/p");
  await kernel.load("/p", { id: "own" });
  platform.files.put("/q/manifest.json", JSON.stringify({ ...manifest, version: "2.0.0" }));
  platform.files.put("/q/a.shout", "bye");
  for (const id of ["a", "own"]) {
    const version = (): unknown => kernel.list().find(({ metadata }) => metadata.id === id)?.metadata.version;
    await kernel.reload(id);
    expect(version()).toBe("1.2.3");
    await kernel.reload(id, "/q");
    expect(version()).toBe("2.0.0");
    expect(await kernel.invoke(id, "shout")).toBe("BYE");
  }
  expect(await kernel.hooks.applyFilters("title", "hi")).toBe("hi");

  platform.files.put("/r/manifest.json", JSON.stringify({ ...manifest, id: "b" }));
  platform.files.put("/r/a.shout", "other");
  for (const [source, code] of [
    ["/r", "INVALID_OPTIONS"],
    ["/none", "NOT_FOUND"],
    [new URL("file:///q/none.json"), "NOT_FOUND"],
  ] as const)
    expect((await rejection(kernel.reload("a", source))).code).toBe(code);
  expect((await rejection(kernel.reload("zap", "/q"))).code).toBe("UNKNOWN_MODULE");
  expect(await kernel.invoke("a", "shout")).toBe("BYE");
});

test("list() has the manifest of the version that serves, whatever came of a reload", async () => {
  const { kernel, platform } = testKernel({ loaders: [shout] });
  const route = (path: string): object => ({ method: "GET", path, handler: "shout" });
  for (const [version, folder] of [
    ["1.0.0", "p"],
    ["2.0.0", "q"],
    ["3.0.0", "r"],
  ]) {
    const routes = [route(`/v${version}`)];
    platform.files.put(`/${folder}/manifest.json`, JSON.stringify({ ...manifest, version, routes }));
    if (folder !== "r") platform.files.put(`/${folder}/a.shout`, "hello");
  }
  platform.files.put("/bare.shout", "hello");
  const paths = (): unknown =>
    kernel.list().map((status) => status.manifest?.routes.map(({ path }) => path) ?? "no manifest");

  await kernel.load("/p");
  expect(paths()).toEqual([["/v1.0.0"]]);
  await kernel.reload("a", "/q");
  expect(paths()).toEqual([["/v2.0.0"]]);
  // Its entry is not there.
  await rejection(kernel.reload("a", "/r"));
  expect(paths()).toEqual([["/v2.0.0"]]);
  await kernel.load("/bare.shout");
  await kernel.register(nativeModule({ id: "native" }));
  expect(paths()).toEqual([["/v2.0.0"], [], "no manifest"]);
});

test("a loader may make definitions of a class, which are the same with their manifest and under another id", async () => {
  class Definition implements ModuleDefinition {
    readonly #text: string;
    readonly restart = { policy: "always" } as const;
    constructor(text: string) {
      this.#text = text;
    }
    get metadata(): ModuleDefinition["metadata"] {
      return { id: "a", name: "A", version: "1.2.3", kind: "shout", description: this.#text };
    }
    get deadlines(): NonNullable<ModuleDefinition["deadlines"]> {
      return { stopMs: 77 };
    }
    create(): Module {
      const text = this.#text;
      return { call: () => text };
    }
  }
  const { kernel, platform } = testKernel({
    loaders: [{ kind: "shout", load: async () => new Definition("made") }],
  });
  platform.files.put("/p/manifest.json", JSON.stringify(manifest));
  platform.files.put("/p/a.shout", "");
  for (const id of ["a", "own"]) {
    const plugin = await kernel.load("/p", { id });
    expect(await plugin.call("any")).toBe("made");
    expect(kernel.list().find(({ metadata }) => metadata.id === id)).toMatchObject({
      metadata: { id, name: "A", version: "1.2.3", kind: "shout", description: "made" },
      supervisor: { state: "healthy" },
    });
    await kernel.reload(id, "/p");
    expect(await plugin.call("any")).toBe("made");
  }
});

test("a module that is unloaded while its new version is read is not reloaded", async () => {
  const { kernel, platform } = testKernel({ loaders: [shout] });
  platform.files.put("/p/manifest.json", JSON.stringify(manifest));
  platform.files.put("/p/a.shout", "hello");
  await kernel.load("/p");
  const reloading = rejection(kernel.reload("a", "/p"));
  await kernel.unload("a");
  expect((await reloading).code).toBe("UNKNOWN_MODULE");
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

test("actions that a manifest asks for call the module's method with their arguments", async () => {
  const heard: unknown[] = [];
  const hearing: ModuleLoader = {
    kind: "shout",
    async load({ id }) {
      return nativeModule({ id, methods: { saved: ({ payload }) => void heard.push(payload) } });
    },
  };
  const { kernel, platform } = testKernel({ loaders: [hearing] });
  const hooks = [{ type: "action", name: "page.saved", method: "saved" }];
  platform.files.put("/p/manifest.json", JSON.stringify({ ...manifest, hooks }));
  platform.files.put("/p/a.shout", "");
  await kernel.load("/p");
  await kernel.hooks.runActions("page.saved", "home", 2);
  expect(heard).toEqual([{ kind: "action", args: ["home", 2] }]);
});

test("a filter that a manifest asks for gets the filter's arguments", async () => {
  const joining: ModuleLoader = {
    kind: "shout",
    async load({ id }) {
      return nativeModule({ id, methods: { title: ({ payload }) => JSON.stringify(payload) } });
    },
  };
  const { kernel, platform } = testKernel({ loaders: [joining] });
  const hooks = [{ type: "filter", name: "title" }];
  platform.files.put("/p/manifest.json", JSON.stringify({ ...manifest, hooks }));
  platform.files.put("/p/a.shout", "");
  await kernel.load("/p");
  expect(JSON.parse(String(await kernel.hooks.applyFilters("title", "hi", "home")))).toEqual({
    kind: "filter",
    value: "hi",
    args: ["home"],
  });
});

test("an entry that is a link may lead to a file of the plugin's folder, and nowhere else", async () => {
  const platform = createTestPlatform();
  const { files } = platform;
  files.put("/p/manifest.json", JSON.stringify(manifest));
  files.put("/p/a.shout", "linked");
  files.put("/p/b.shout", "inside");
  files.put("/plain/secret.shout", "outside");
  files.put("/p2/secret.shout", "outside");
  let target = "/p/b.shout";
  const real = async (url: URL): Promise<URL> =>
    url.pathname === "/p/a.shout" ? new URL(target, "file:///") : files.real(url);
  const { kernel } = testKernel({ platform: { ...platform, files: { ...files, real } }, loaders: [shout] });
  await using plugin = await kernel.load("/p");
  expect(plugin.id).toBe("a");
  for (target of ["/plain/secret.shout", "/p2/secret.shout"]) {
    expect((await rejection(kernel.load("/p", { id: "b" }))).code).toBe("INVALID_MANIFEST");
  }
});

test("an entry that is not there is NOT_FOUND, and the hint says what it is relative to", async () => {
  const platform = createTestPlatform();
  platform.files.put("/p/manifest.json", JSON.stringify(manifest));
  const { kernel } = testKernel({ platform, loaders: [shout] });
  const error = await rejection(kernel.load("/p"));
  expect([error.code, error.details?.["path"]]).toEqual(["NOT_FOUND", "/p/a.shout"]);
  expect(error.hint).toContain("entry");
});

test("a plugin may be loaded without being started; a bare file's memory is limited", async () => {
  let manifestOf: Manifest | undefined;
  const seeing: ModuleLoader = {
    kind: "shout",
    extensions: [".shout"],
    async load(given) {
      manifestOf = given;
      return nativeModule({ id: given.id });
    },
  };
  const { kernel, platform } = testKernel({ loaders: [seeing] });
  platform.files.put("/p/a.shout", "");
  await kernel.load("/p/a.shout", { start: false });
  expect(kernel.state("a")).toBe("loaded");
  expect(manifestOf?.limits.memory).toBeLessThanOrEqual(2 ** 28);
  expect(manifestOf?.capabilities).toEqual([]);
});

test("an action that a manifest asks for and that fails is counted, and disturbs nobody", async () => {
  const failing: ModuleLoader = {
    kind: "shout",
    async load({ id }) {
      return nativeModule({ id, methods: { saved: () => Promise.reject(new Error("no")) } });
    },
  };
  const { kernel, platform } = testKernel({ loaders: [failing] });
  const hooks = [{ type: "action", name: "saved" }];
  platform.files.put("/p/manifest.json", JSON.stringify({ ...manifest, hooks }));
  platform.files.put("/p/a.shout", "");
  await kernel.load("/p");
  await kernel.hooks.runActions("saved");
  expect(kernel.metrics.text()).toMatch(/keelson_hook_failures_total\{.*\} 1\n/);
});

test("a bare file whose name makes no id is called plugin", async () => {
  const { kernel, platform } = testKernel({ loaders: [shout] });
  platform.files.put("/p/--.shout", "hello");
  platform.files.put("/p/-My File.shout", "hello");
  expect((await kernel.load("/p/--.shout")).id).toBe("plugin");
  expect((await kernel.load("/p/-My%20File.shout")).id).toBe("my-file");
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

test("a loader may make its definitions of a class", async () => {
  class Shout implements ModuleDefinition {
    readonly manifest: Manifest;
    constructor(read: Manifest) {
      this.manifest = read;
    }
    get metadata(): ModuleDefinition["metadata"] {
      const { id, name, version, kind } = this.manifest;
      return { id, name, version, kind };
    }
    create(): Module {
      return { call: () => this.manifest.version };
    }
  }
  const { kernel, platform } = testKernel({
    loaders: [{ kind: "shout", load: async (read) => new Shout(read) }],
  });
  platform.files.put("/p/a.shout", "");
  platform.files.put("/p/manifest.json", JSON.stringify(manifest));
  const plugin = await kernel.load("/p");
  expect(plugin.callSync("version")).toBe("1.2.3");
  platform.files.put("/p/manifest.json", JSON.stringify({ ...manifest, version: "2.0.0" }));
  await kernel.reload("a", "/p");
  expect(plugin.callSync("version")).toBe("2.0.0");
});
