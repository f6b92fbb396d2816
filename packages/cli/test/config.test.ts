import { isKeelsonError, nativeModule } from "@keelson/core";
import { expect, test } from "vitest";
import { parseConfig } from "../src/config.ts";

const FILE = new URL("file:///srv/app/keelson.config.json");

/** The paths of what is wrong with a configuration. */
function wrong(config: unknown): string[] {
  try {
    parseConfig(config, FILE);
  } catch (error) {
    if (!isKeelsonError(error, "INVALID_OPTIONS")) throw error;
    const { issues } = error.details as { readonly issues: readonly { readonly path: string }[] };
    return issues.map(({ path }) => path);
  }
  return [];
}

test("paths are resolved against the configuration's folder, odd characters included", () => {
  const { plugins } = parseConfig({ plugins: ["./a.wasm", { path: "../b c#1?%", id: "b" }, "/opt/x"] }, FILE);
  expect(plugins.map((plugin) => ("url" in plugin ? plugin.url.href : ""))).toEqual([
    "file:///srv/app/a.wasm",
    "file:///srv/b%20c%231%3F%25",
    "file:///opt/x",
  ]);
  expect(plugins[1]).toMatchObject({ id: "b" });
});

test("definitions are taken as they are, from plugins and from modules", () => {
  const one = nativeModule({ id: "one" });
  const two = nativeModule({ id: "two" });
  expect(parseConfig({ plugins: [one], modules: [two] }, FILE).plugins).toEqual([one, two]);
});

test("the kernel's options are taken, quarantine included", () => {
  for (const quarantine of [false, { stops: 1, withinMs: 5, minRunMs: 0 }] as const)
    expect(parseConfig({ kernel: { quarantine, drainMs: 5 } }, FILE).kernel).toEqual({
      quarantine,
      drainMs: 5,
    });
});

test("loaders are taken: objects with load()", () => {
  const loader = { kind: "own", load: () => Promise.resolve(nativeModule({ id: "one" })) };
  expect(parseConfig({ kernel: { loaders: [loader] } }, FILE).kernel).toEqual({ loaders: [loader] });
});

test("an empty configuration is fine", () => {
  expect(parseConfig({}, FILE)).toEqual({ kernel: {}, plugins: [] });
});

test.each([
  [null, [""]],
  [[], [""]],
  ["x", [""]],
  [{ plugin: [] }, ["plugin"]],
  [{ plugins: {} }, ["plugins"]],
  [
    { plugins: [7, "", { pth: "x" }, { path: "x", id: 3 }] },
    ["plugins[0]", "plugins[1]", "plugins[2].pth", "plugins[2].path", "plugins[3].id"],
  ],
  [
    { plugins: [{ path: "x", isolation: "thread" }, { isolation: 1 }] },
    ["plugins[0].isolation", "plugins[1].path", "plugins[1].isolation"],
  ],
  [{ kernel: [] }, ["kernel"]],
  [
    { kernel: { drainMs: -1, callTimeoutMs: "1", calTimeoutMs: 1 } },
    ["kernel.calTimeoutMs", "kernel.callTimeoutMs", "kernel.drainMs"],
  ],
  [{ kernel: { loaders: ["x"] } }, ["kernel.loaders"]],
  [{ kernel: { loaders: [{ kind: "own" }] } }, ["kernel.loaders"]],
  [{ kernel: { quarantine: true } }, ["kernel.quarantine"]],
  [
    { kernel: { quarantine: { stops: 1.5, withinMs: "1", maxMs: 0, minRunMs: -1, stop: 1 } } },
    ["kernel.quarantine.stop", "kernel.quarantine.stops", "kernel.quarantine.withinMs"].concat([
      "kernel.quarantine.maxMs",
      "kernel.quarantine.minRunMs",
    ]),
  ],
  [
    { plugins: ["file://[", { path: "file://[" }], modules: [{ id: "x", command: "x", cwd: "file://[" }] },
    ["plugins[0]", "plugins[1].path", "modules[0].cwd"],
  ],
  [{ modules: ["./x.wasm", null] }, ["modules[0]", "modules[1]"]],
  [{ modules: [{ id: "x" }] }, ["modules[0].command"]],
  [
    { modules: [{ id: "x", command: "x", args: "y", comand: "z" }] },
    ["modules[0].comand", "modules[0].args"],
  ],
  [{ modules: [{ id: "x", command: "x", graceMs: -1 }] }, ["modules[0]"]],
])("%j is refused, and each mistake is named", (config, paths) => {
  expect(wrong(config)).toEqual(paths);
});

test("each issue says what to do next", () => {
  expect(() => parseConfig({ plugin: [], modules: ["./x"] }, FILE)).toThrow(
    /did you mean `plugins`\?[\s\S]*paths belong into plugins[\s\S]*hint: /,
  );
  expect(() => parseConfig({ frobnicate: 1, plugins: () => [] }, FILE)).toThrow(
    /known are kernel, plugins, modules[\s\S]*must be a list, not a function/,
  );
});
