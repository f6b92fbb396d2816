// Manifests and entries that no plugin should have.
import { pathToFileURL } from "node:url";
import type { BadCase, Ground } from "./case.ts";

const good = {
  apiVersion: "keelson/v1",
  id: "bad",
  name: "Bad",
  version: "1.0.0",
  kind: "native",
  entry: "./entry.mjs",
};

function manifest(change: Readonly<Record<string, unknown>>): (ground: Ground) => Promise<unknown> {
  return text(JSON.stringify({ ...good, ...change }));
}

function text(content: string | Uint8Array): (ground: Ground) => Promise<unknown> {
  return ({ kernel, write }) => {
    write("entry.mjs", "export default { call: () => 1 };");
    return kernel.load(write("manifest.json", content));
  };
}

function entry(content: string): (ground: Ground) => Promise<unknown> {
  return ({ kernel, write }) => {
    // A file that failed to be imported is remembered by the runtime: each gets a name of its own.
    const name = `entry-${String(Math.random()).slice(2)}.mjs`;
    write(name, content);
    return kernel.load(write("manifest.json", JSON.stringify({ ...good, entry: name })));
  };
}

const invalid: readonly [what: string, run: BadCase["run"]][] = [
  ["with a number for a version", manifest({ version: 7 })],
  ["with an array for an id", manifest({ id: ["bad"] })],
  ["with a word for its capabilities", manifest({ capabilities: "all" })],
  ["with limits that are no sizes", manifest({ limits: { memory: "64 potatoes" } })],
  ["with a negative limit", manifest({ limits: { timeoutMs: -1 } })],
  ["with null for its kind", manifest({ kind: null })],
  ["with an unknown key", manifest({ memmory: "64MiB" })],
  ["with an unknown key further in", manifest({ limits: { memmory: "64MiB" } })],
  ["with a version of two numbers", manifest({ version: "1.0" })],
  ["with a version that is a word", manifest({ version: "latest" })],
  ["with a dependency in no version range", manifest({ depends: { other: ">=one" } })],
  ["with an id that is a path", manifest({ id: "../bad" })],
  ["of another API version", manifest({ apiVersion: "keelson/v2" })],
  ["with an entry above its folder", manifest({ entry: "../entry.mjs" })],
  ["with an entry that climbs out on its way", manifest({ entry: "a/../../entry.mjs" })],
  ["with an absolute entry", manifest({ entry: "/etc/passwd" })],
  ["with an entry that is a URL", manifest({ entry: "file:///etc/passwd" })],
  ["with an entry of another host", manifest({ entry: "//example.org/x.mjs" })],
  ["with an entry that climbs out encoded", manifest({ entry: "%2e%2e/%2e%2e/etc/passwd" })],
  ["with an entry that climbs out backwards", manifest({ entry: "..\\..\\etc\\passwd" })],
  ["with a NUL in its entry", manifest({ entry: "entry.mjs\0.wasm" })],
  ["with an entry that is the folder itself", manifest({ entry: "." })],
  ["of a process without a command", manifest({ kind: "process", entry: undefined })],
  ["of a process with an empty command", manifest({ kind: "process", entry: undefined, command: [] })],
  [
    "of a process with a number for an argument",
    manifest({ kind: "process", entry: undefined, command: ["sh", 1] }),
  ],
  [
    "of a process whose command leaves the folder",
    manifest({ kind: "process", entry: undefined, command: ["./../../bin/sh"] }),
  ],
  ["that is empty", text("")],
  ["that is white space", text(" \n\t")],
  ["that is text", text("id: bad\nversion: 1.0.0\n")],
  ["that is an array", text("[]")],
  ["that is null", text("null")],
  ["that breaks off", text(JSON.stringify(good).slice(0, 40))],
  ["that is WebAssembly", text(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))],
  ["that is no UTF-8", text(Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d))],
  [
    "in UTF-16",
    text(
      new Uint8Array(new Uint16Array([...JSON.stringify(good)].map((letter) => letter.charCodeAt(0))).buffer),
    ),
  ],
  ["with a key twice", text(JSON.stringify(good).replace("{", '{"id":"other",'))],
  ["with a prototype", text(JSON.stringify(good).replace("{", '{"__proto__":{"x":1},'))],
  ["nested a hundred thousand deep", text("[".repeat(100_000))],
  ["of two megabytes", text(JSON.stringify({ ...good, description: "x".repeat(2_000_000) }))],
  [
    "whose entry is a link out of its folder",
    ({ kernel, write, link }) => {
      const target = write("outside/secret.mjs", "export default { call: () => 'secret' };");
      link("plugin/entry.mjs", target);
      return kernel.load(write("plugin/manifest.json", JSON.stringify(good)));
    },
  ],
  ["whose entry exports nothing", entry("export const x = 1;")],
  ["whose entry exports a number", entry("export default 7;")],
];

export const manifestCases: readonly BadCase[] = [
  ...invalid.map(([what, run]): BadCase => ({ title: `a manifest ${what}`, code: "INVALID_MANIFEST", run })),
  {
    title: "a manifest that is not there",
    code: "NOT_FOUND",
    run: ({ kernel, write }) => kernel.load(`${write("x", "")}/../no/manifest.json`),
  },
  {
    title: "a folder without a manifest",
    code: "NOT_FOUND",
    run: ({ kernel, write }) => kernel.load(write("empty/x", "").slice(0, -2)),
  },
  { title: "an entry that is not there", code: "NOT_FOUND", run: manifest({ entry: "./nothing.mjs" }) },
  {
    title: "an entry that is a folder",
    code: ["IO", "MODULE_FAILED", "INVALID_MANIFEST"],
    run: (ground) => {
      ground.write("folder/x", "");
      return manifest({ entry: "./folder" })(ground);
    },
  },
  { title: "a kind that nobody loads", code: "UNKNOWN_KIND", run: manifest({ kind: "fortran" }) },
  {
    title: "a bare file of no known kind",
    code: "UNKNOWN_KIND",
    run: ({ kernel, write }) => kernel.load(write("x.exe", "MZ")),
  },
  {
    title: "a bare file without an ending",
    code: "UNKNOWN_KIND",
    run: ({ kernel, write }) => kernel.load(write("noending", "")),
  },
  {
    title: "a URL that is no file",
    code: ["UNSUPPORTED", "IO"],
    run: ({ kernel }) => kernel.load("https://example.org/x.wasm"),
  },
  {
    title: "a path with a NUL",
    code: ["NOT_FOUND", "IO"],
    run: ({ kernel, write }) => kernel.load(`${write("y", "")}\0.wasm`),
  },
  { title: "an entry that is no JavaScript", code: "MODULE_FAILED", run: entry("this is not a program") },
  {
    title: "an entry that throws when imported",
    code: "MODULE_FAILED",
    run: entry("throw new Error('at once');"),
  },
  {
    title: "an entry that throws undefined when imported",
    code: "MODULE_FAILED",
    run: entry("throw undefined;"),
  },
  {
    title: "an entry that imports what is not there",
    code: "MODULE_FAILED",
    run: entry("import 'keelson-no-such-package';"),
  },
  {
    title: "a dependency that nobody registered",
    code: "DEPENDENCY_MISSING",
    run: manifest({ depends: { nobody: "*" } }),
  },
  {
    title: "a dependency in another version",
    code: "DEPENDENCY_MISSING",
    run: manifest({ depends: { witness: "^9.0.0" } }),
  },
  {
    title: "a WebAssembly manifest over a native file",
    code: "INVALID_WASM",
    run: manifest({ kind: "wasm" }),
  },
  {
    title: "a native manifest over a text file",
    code: ["MODULE_FAILED", "INVALID_MANIFEST"],
    run: ({ kernel, write }) => {
      write("notes.txt", "buy milk");
      return kernel.load(write("manifest.json", JSON.stringify({ ...good, entry: "notes.txt" })));
    },
  },
  { title: "a manifest's id that is taken", code: "DUPLICATE_MODULE", run: manifest({ id: "witness" }) },
  {
    title: "a manifest by URL with a query",
    code: ["INVALID_MANIFEST", "NOT_FOUND"],
    run: ({ kernel, write }) =>
      kernel.load(new URL(`${pathToFileURL(write("q/other.json", "{}")).href}?x#y`)),
  },
];
