import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isKeelsonError, type KeelsonError } from "../../src/contract/errors.ts";
import type { Manifest } from "../../src/contract/manifest.ts";
import { type ManifestIssue, parseManifest } from "../../src/manifest/index.ts";

const minimal = {
  apiVersion: "keelson/v1",
  id: "markdown",
  version: "1.2.3",
  kind: "wasm",
  entry: "markdown.wasm",
};

const full = {
  apiVersion: "keelson/v1",
  id: "markdown",
  name: "Markdown",
  version: "1.2.3-beta.1",
  kind: "wasm",
  description: "Turns text into pages.",
  entry: "./dist/markdown.wasm",
  abi: "keelson",
  capabilities: ["http.fetch", { name: "fs.read", scope: ["/pages", "/media"] }],
  limits: {
    memory: "64MiB",
    fuel: 1_000_000,
    cpuMs: 50,
    timeoutMs: 200.5,
    storage: "1 GB",
    network: { maxConnections: 4, bytesPerSecond: "128KiB" },
  },
  hooks: [
    { type: "filter", name: "page.html", method: "render", priority: -5 },
    { type: "action", name: "page.saved" },
  ],
  routes: [{ method: "GET", path: "/markdown/:id", handler: "show" }],
  restart: {
    policy: "on-failure",
    intensity: { max: 3, withinMs: 10_000 },
    backoff: { initialMs: 0, factor: 1, maxMs: 100, jitter: 0 },
    health: { everyMs: 1000, timeoutMs: 100, failures: 2 },
  },
  depends: { store: "^1.0.0", constructor: "*" },
  overlap: false,
  integrity: `sha256-${"A".repeat(43)}=`,
  signature: "abc",
};

function issues(input: unknown): readonly ManifestIssue[] {
  let caught: unknown;
  try {
    parseManifest(input);
  } catch (error) {
    caught = error;
  }
  if (!isKeelsonError(caught, "INVALID_MANIFEST"))
    throw new Error("it was not refused as INVALID_MANIFEST", { cause: caught });
  const found = (caught as KeelsonError).details?.["issues"] as readonly ManifestIssue[];
  expect(found.length).toBeGreaterThan(0);
  for (const { path, message, hint } of found.slice(0, 20)) {
    expect((caught as KeelsonError).message).toContain(path);
    expect((caught as KeelsonError).message).toContain(message);
    if (hint !== undefined) expect((caught as KeelsonError).message).toContain(hint);
  }
  return found;
}

function issue(input: unknown): ManifestIssue {
  const found = issues(input);
  expect(found).toHaveLength(1);
  return found[0] as ManifestIssue;
}

function isFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozen);
}

describe("a sound manifest", () => {
  test("gets its defaults", () => {
    expect(parseManifest(minimal)).toStrictEqual({
      ...minimal,
      name: "markdown",
      capabilities: [],
      limits: {},
      hooks: [],
      routes: [],
      depends: {},
    });
  });

  test("keeps all that it says, with sizes in bytes", () => {
    expect(parseManifest(full)).toStrictEqual({
      ...full,
      capabilities: [
        { name: "http.fetch", scope: [] },
        { name: "fs.read", scope: ["/pages", "/media"] },
      ],
      limits: {
        memory: 2 ** 26,
        fuel: 1_000_000,
        cpuMs: 50,
        timeoutMs: 200.5,
        storage: 1e9,
        network: { maxConnections: 4, bytesPerSecond: 2 ** 17 },
      },
    });
  });

  test("is the same from an object, a text, a text with a byte order mark, and bytes", () => {
    const wanted = parseManifest(full);
    const text = JSON.stringify(full, null, 2);
    for (const input of [
      text,
      `\ufeff${text}`,
      new TextEncoder().encode(text),
      new TextEncoder().encode(`\ufeff${text}`),
    ]) {
      expect(parseManifest(input)).toStrictEqual(wanted);
    }
  });

  test("is frozen all the way down and shares nothing with what it was made from", () => {
    const input = structuredClone(full);
    const manifest = parseManifest(input);
    expect(isFrozen(manifest)).toBe(true);
    input.hooks[0]!.name = "other";
    input.depends.store = "other";
    expect(manifest).toStrictEqual(parseManifest(full));
    expect(() => ((manifest as { id: string }).id = "x")).toThrow(TypeError);
  });

  test("may be parsed again from its own JSON", () => {
    const manifest = parseManifest(full);
    expect(parseManifest(JSON.stringify(manifest))).toStrictEqual(manifest);
  });

  test("keys that are undefined count as absent", () => {
    expect(parseManifest({ ...minimal, abi: undefined, limits: { memory: undefined } })).toStrictEqual(
      parseManifest(minimal),
    );
  });

  test("of a kind that is not built in is left to its loader", () => {
    const { entry: _entry, ...rest } = minimal;
    expect(parseManifest({ ...rest, kind: "mcp", command: ["server"], env: { A: "b" } }).kind).toBe("mcp");
    expect(parseManifest({ ...rest, kind: "remote" }).entry).toBeUndefined();
  });

  test("of a process has a command and an environment", () => {
    const { entry: _entry, ...rest } = minimal;
    const process = {
      ...rest,
      kind: "process",
      command: ["node", "", "a b"],
      env: { PATH_LIKE: "", constructor: "x" },
      health: true,
    };
    const { command, env, health } = process;
    expect(parseManifest(process)).toMatchObject({ command, env, health });
    expect(issue({ ...process, health: "yes" }).path).toBe("health");
  });
});

describe("unknown keys", () => {
  test.each([
    [{ ...minimal, memmory: 1 }, "memmory", "did you mean `limits.memory`?"],
    [{ ...minimal, hooks: [{ type: "filter", name: "a", memmory: 1 }] }, "hooks[0].memmory", undefined],
    [{ ...minimal, limits: { memmory: 1 } }, "limits.memmory", "did you mean `memory`?"],
    [
      { ...minimal, limits: { network: { max_connections: 1 } } },
      "limits.network.max_connections",
      "did you mean `maxConnections`?",
    ],
    [{ ...minimal, memory: 1 }, "memory", "did you mean `limits.memory`?"],
    [{ ...minimal, limits: { entry: "x" } }, "limits.entry", "`entry` belongs to the top of the manifest"],
    [{ ...minimal, capabilites: [] }, "capabilites", "did you mean `capabilities`?"],
    [
      { ...minimal, capabilities: [{ name: "a", scopes: [] }] },
      "capabilities[0].scopes",
      "did you mean `scope`?",
    ],
    [
      { ...minimal, hooks: [{ type: "filter", name: "a", prioritiy: 1 }] },
      "hooks[0].prioritiy",
      "did you mean `priority`?",
    ],
    [
      { ...minimal, routes: [{ method: "GET", path: "/", handler: "h", hander: "x" }] },
      "routes[0].hander",
      "did you mean `handler`?",
    ],
    [{ ...minimal, restart: { backof: {} } }, "restart.backof", "did you mean `backoff`?"],
    [{ ...minimal, restart: { health: { every: 1 } } }, "restart.health.every", undefined],
    [
      { ...minimal, restart: { intensity: { max: 1, withinMs: 1, within: 1 } } },
      "restart.intensity.within",
      "did you mean `withinMs`?",
    ],
    [{ ...minimal, constructor: 1 }, "constructor", undefined],
    [{ ...minimal, toString: 1 }, "toString", undefined],
    [{ ...minimal, "": 1 }, '[""]', undefined],
  ])("%# are refused with a good guess", (input, path, hint) => {
    const found = issue(input);
    expect(found.path).toBe(path);
    expect(found.message).toContain("unknown key");
    if (hint !== undefined) expect(found.hint).toBe(hint);
  });

  test("the message puts key and guess together", () => {
    expect(() => parseManifest({ ...minimal, limits: { memmory: 1 } })).toThrow(
      /limits\.memmory: unknown key `memmory`: did you mean `memory`\?/,
    );
  });

  test("are all told, with their lines", () => {
    const text = JSON.stringify({ ...minimal, limits: { memmory: 1 }, hoks: [], version: "1" }, null, 2);
    expect(issues(text).map(({ path, line }) => [path, line])).toEqual([
      ["version", 4],
      ["limits.memmory", 8],
      ["hoks", 10],
    ]);
  });

  test("come in the order of the lines, those without one first", () => {
    const text = `{
      "apiVersion": "keelson/v1",
      "version": "one",
      "kind": "WASM",
      "hooks": [
        { "type": "filter", "name": "a" },
        { "name": "b" }
      ],
      "entry": 3
    }`;
    expect(issues(text).map(({ path, line }) => [path, line])).toEqual([
      ["id", undefined],
      ["version", 3],
      ["kind", 4],
      ["hooks[1].type", 7],
      ["entry", 9],
    ]);
  });

  test("say that a key is missing only where it is", () => {
    const { entry: _, ...rest } = minimal;
    const { id: __, ...missing } = { ...minimal, version: 3, hooks: [{ name: "a" }] };
    expect(issues(missing).map(({ path, message }) => [path, message === "is missing"])).toEqual([
      ["id", true],
      ["version", false],
      ["hooks[0].type", true],
    ]);
    expect(issues(rest)[0]?.message).not.toBe("is missing");
  });

  test("quote keys that are no words, and cut what is long", () => {
    const strange = { "a b": 1, "c!": 1, [`a ${"x".repeat(63)}`]: 1 };
    expect(issues({ ...minimal, ...strange }).map(({ path }) => path)).toEqual([
      '["a b"]',
      '["c!"]',
      `["a ${"x".repeat(62)}…"]`,
    ]);
    expect(issue({ ...minimal, [`a ${"x".repeat(62)}`]: 1 }).path).toBe(`["a ${"x".repeat(62)}"]`);
  });

  test("give no hint where nothing is near", () => {
    expect(issue({ ...minimal, hooks: [{ type: "nothing", name: "a" }] }).hint).toBeUndefined();
    expect(issue({ ...minimal, hooks: [{ type: 5, name: "a" }] }).hint).toBeUndefined();
    expect(issue({ ...minimal, hooks: [{ type: "fliter", name: "a" }] }).hint).toContain("filter");
  });

  test("in great numbers are counted, not listed", () => {
    const input = {
      ...minimal,
      ...Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`key-${index}`, 1])),
    };
    expect(issues(input)).toHaveLength(100);
    expect(() => parseManifest(input)).toThrow(/and 4900 more/);
  });
});

describe("wrong values", () => {
  const wrong: readonly (readonly [string, unknown])[] = [
    ["apiVersion", "keelson/v2"],
    ["apiVersion", undefined],
    ["id", "Markdown"],
    ["id", ""],
    ["id", undefined],
    ["id", 7],
    ["name", ""],
    ["name", "x".repeat(201)],
    ["version", "1.2"],
    ["version", "v1.2.3"],
    ["version", undefined],
    ["kind", ""],
    ["kind", "WASM"],
    ["kind", undefined],
    ["description", 7],
    ["entry", undefined],
    ["entry", ["a.wasm"]],
    ["abi", ""],
    ["capabilities", "http.fetch"],
    ["capabilities", null],
    ["limits", []],
    ["hooks", {}],
    ["depends", []],
    ["depends", "store"],
    ["overlap", "yes"],
    ["integrity", "sha256-"],
    ["integrity", `sha1-${"A".repeat(43)}=`],
    ["integrity", `sha256-${"A".repeat(42)}B=`],
    ["integrity", `sha256-${"A".repeat(64)}`],
    ["signature", ""],
    ["restart", "always"],
  ];
  test.each(wrong)("of %s: %j is refused at its place", (key, value) => {
    expect(issue({ ...minimal, [key]: value }).path).toBe(key);
  });

  const nested: readonly (readonly [string, Record<string, unknown>])[] = [
    ["limits.memory", { limits: { memory: "64mb" } }],
    ["limits.memory", { limits: { memory: 0 } }],
    ["limits.memory", { limits: { memory: -1 } }],
    ["limits.memory", { limits: { memory: null } }],
    ["limits.memory", { limits: { memory: "8192TiB" } }],
    ["limits.fuel", { limits: { fuel: 0 } }],
    ["limits.fuel", { limits: { fuel: 1.5 } }],
    ["limits.fuel", { limits: { fuel: 2 ** 53 } }],
    ["limits.cpuMs", { limits: { cpuMs: 0 } }],
    ["limits.timeoutMs", { limits: { timeoutMs: "1s" } }],
    ["limits.network.maxConnections", { limits: { network: { maxConnections: -1 } } }],
    ["capabilities[0]", { capabilities: [7] }],
    ["capabilities[0].name", { capabilities: [""] }],
    ["capabilities[0].name", { capabilities: [{ scope: [] }] }],
    ["capabilities[0].scope[0]", { capabilities: [{ name: "a", scope: [1] }] }],
    ["capabilities[1]", { capabilities: ["a", { name: "a", scope: ["x"] }] }],
    ["hooks[0].type", { hooks: [{ type: "filtr", name: "a" }] }],
    ["hooks[0].name", { hooks: [{ type: "filter", name: "a b" }] }],
    ["hooks[0].priority", { hooks: [{ type: "filter", name: "a", priority: "high" }] }],
    [
      "hooks[1]",
      {
        hooks: [
          { type: "filter", name: "a" },
          { type: "filter", name: "a", method: "a" },
        ],
      },
    ],
    ["routes[0].method", { routes: [{ method: "get", path: "/", handler: "h" }] }],
    ["routes[0].path", { routes: [{ method: "GET", path: "x", handler: "h" }] }],
    ["routes[0].path", { routes: [{ method: "GET", path: "/a/../b", handler: "h" }] }],
    ["routes[0].handler", { routes: [{ method: "GET", path: "/" }] }],
    [
      "routes[1]",
      {
        routes: [
          { method: "GET", path: "/", handler: "a" },
          { method: "GET", path: "/", handler: "b" },
        ],
      },
    ],
    ["restart.policy", { restart: { policy: "on_failure" } }],
    ["restart.intensity.withinMs", { restart: { intensity: { max: 1 } } }],
    ["restart.intensity.max", { restart: { intensity: { max: -1, withinMs: 1 } } }],
    ["restart.backoff.jitter", { restart: { backoff: { jitter: 1.1 } } }],
    ["restart.backoff.factor", { restart: { backoff: { factor: 0.5 } } }],
    ["restart.health.failures", { restart: { health: { failures: 0 } } }],
    ["depends.store", { depends: { store: "latest" } }],
    ["depends.store", { depends: { store: 1 } }],
    ["depends.Store", { depends: { Store: "*" } }],
    ["depends.markdown", { depends: { markdown: "*" } }],
  ];
  test.each(nested)("at %s are refused there: %j", (path, change) => {
    expect(issue({ ...minimal, ...change }).path).toBe(path);
  });

  test("a near miss of a word gets a hint", () => {
    expect(issue({ ...minimal, restart: { policy: "on_failure" } }).hint).toBe("did you mean `on-failure`?");
    expect(issue({ ...minimal, hooks: [{ type: "Filter", name: "a" }] }).hint).toBe("did you mean `filter`?");
    expect(issue({ ...minimal, limits: { memory: "64mib" } }).hint).toBe("did you mean MiB?");
  });

  test("what the kind asks for is told together with all else", () => {
    expect(
      issues({
        apiVersion: "keelson/v1",
        id: "m",
        version: "1",
        kind: "process",
        entry: "x",
        abi: "raw",
      }).map(({ path }) => path),
    ).toEqual(["version", "command", "entry", "abi"]);
    for (const kind of ["native", "wasm"]) {
      const found = issues({
        apiVersion: "keelson/v1",
        id: "m",
        version: "1.0.0",
        kind,
        command: ["a"],
        env: {},
        health: true,
      });
      expect(found.map(({ path }) => path)).toEqual(["entry", "command", "env", "health"]);
    }
  });

  test.each([[[]], [[""]], [["a\0"]], ["node"], [[1]]])("a process cannot have the command %j", (command) => {
    const { entry: _entry, ...rest } = minimal;
    expect(issue({ ...rest, kind: "process", command }).path).toMatch(/^command/u);
  });

  test.each([[{ "": "x" }], [{ "A=B": "x" }], [{ A: 1 }], [{ A: "\0" }], ["A=B"]])(
    "a process cannot have the environment %j",
    (env) => {
      const { entry: _entry, ...rest } = minimal;
      expect(issue({ ...rest, kind: "process", command: ["a"], env }).path).toMatch(/^env/u);
    },
  );
});

describe("entry", () => {
  test.each([
    "a.wasm",
    "./a.wasm",
    "dist/a.wasm",
    "dist/./a b.wasm",
    "...",
    "..a/b",
    "a..",
    "ä/ö.wasm",
    "a:b/c".replace(":", "-"),
  ])("%j stays inside", (entry) => {
    expect(parseManifest({ ...minimal, entry }).entry).toBe(entry);
  });

  test.each([
    "",
    ".",
    "..",
    "/etc/passwd",
    "//host/x",
    "../x",
    "a/../../x",
    "a/..",
    "a/../b",
    "./../x",
    "a\\b",
    "..\\x",
    "C:\\x",
    "C:/x",
    "c:x",
    "file:///etc/passwd",
    "http://example.org/x.wasm",
    "data:application/wasm;base64,AA==",
    "node:fs",
    "%2e%2e/x",
    "..%2fx",
    "a%00",
    "a\0b",
    "a\nb",
    "\t../x",
    ".\t./x",
    " ../x",
    "a ",
    "a?b",
    "a#b",
    "a//b",
    "a/",
    "a/.",
    "\ud800",
    "x".repeat(2000),
  ])("%j is refused", (entry) => {
    expect(issue({ ...minimal, entry }).path).toBe("entry");
  });

  test("whatever is accepted resolves to a place inside the folder", () => {
    const piece = fc.constantFrom(
      "a",
      ".",
      "..",
      "/",
      "//",
      "\\",
      "%2e",
      "%2E%2e",
      ":",
      "c:",
      "http:",
      "\t",
      "\n",
      "?",
      "#",
      " ",
      "\u2024",
      "。",
      "．．",
      "@",
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }).map((parts) => parts.join("")),
        (entry) => {
          let manifest: Manifest;
          try {
            manifest = parseManifest({ ...minimal, entry });
          } catch (error) {
            expect(isKeelsonError(error, "INVALID_MANIFEST")).toBe(true);
            return;
          }
          for (const folder of ["file:///plugins/markdown/", "https://example.org/markdown/"]) {
            const url = new URL(manifest.entry ?? "", new URL("manifest.json", folder));
            expect(url.href.startsWith(folder) && url.href.length > folder.length).toBe(true);
            expect(decodeURIComponent(url.pathname).split("/")).not.toContain("..");
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("input that is no manifest", () => {
  test.each([
    undefined,
    null,
    true,
    7,
    NaN,
    1n,
    Symbol("x"),
    () => 1,
    [],
    new Date(0),
    new Map(),
    new (class Foo {})(),
    "",
    "7",
    "[]",
    "null",
    "not json",
  ])("%s is refused", (input) => {
    issues(input);
  });

  test("a mistake in the JSON is told with line and column", () => {
    const found = issue('{\n  "apiVersion": "keelson/v1",\n  "id": "a",,\n}');
    expect(found.message).toContain("line 3, column 13");
    expect(found.line).toBe(3);
  });

  test("keys that come twice, __proto__, and a text that is no UTF-8 are refused", () => {
    expect(issue('{"id": "a", "id": "b"}').message).toContain("comes twice");
    expect(issue('{"__proto__": {"id": "a"}}').message).toContain("__proto__");
    expect(
      issue(Object.defineProperty({ ...minimal }, "__proto__", { value: {}, enumerable: true })).message,
    ).toContain("__proto__");
    expect(issue(new Uint8Array([0x7b, 0xff, 0x7d])).message).toContain("UTF-8");
  });

  test("a manifest over a mebibyte is refused, as text, as bytes, and as an object of too many values", () => {
    const big = JSON.stringify({ ...minimal, description: "x".repeat(2 ** 20) });
    expect(issue(big).message).toContain("larger");
    expect(issue(new TextEncoder().encode(big)).message).toContain("larger");
    expect(issue({ ...minimal, hooks: Array.from({ length: 200_000 }, () => 1) }).message).toContain(
      "more than",
    );
    expect(issue({ ...minimal, hooks: Object.assign([], { length: 2 ** 32 - 1 }) }).message).toContain(
      "more than",
    );
  });

  test("a mebibyte is taken, one byte more is not", () => {
    const text = JSON.stringify(minimal).padEnd(2 ** 20);
    expect(parseManifest(text)).toEqual(parseManifest(minimal));
    expect(parseManifest(new TextEncoder().encode(text))).toEqual(parseManifest(minimal));
    expect(issue(`${text} `).path).toBe("");
    expect(issue(new TextEncoder().encode(`${text} `)).path).toBe("");
  });

  test("an object that would unfold without end is refused at once", () => {
    let shared: unknown = 1;
    for (let level = 0; level < 30; level++) shared = [shared, shared];
    expect(issues({ ...minimal, hooks: shared })).toHaveLength(1);
  });

  test("an object without a prototype is as good as any, an instance of a class is none", () => {
    expect(parseManifest(Object.assign(Object.create(null) as object, minimal))).toEqual(
      parseManifest(minimal),
    );
    class Special {}
    expect(issue(Object.assign(new Special(), minimal)).path).toBe("");
  });

  test("deep nesting and circles are refused", () => {
    let deep: unknown = 1;
    for (let n = 0; n < 100_000; n++) deep = [deep];
    expect(issue({ ...minimal, hooks: deep }).message).toContain("nested");
    expect(issue(`{"hooks": ${"[".repeat(50_000)}`).message).toContain("nested");
    const circle: Record<string, unknown> = { ...minimal };
    circle["limits"] = circle;
    expect(issue(circle).message).toContain("nested");
  });

  test("objects that resist being read are refused", () => {
    const gotcha = (): never => {
      throw new Error("gotcha");
    };
    issues(Object.defineProperty({ ...minimal }, "limits", { enumerable: true, get: gotcha }));
    issues(new Proxy({}, { ownKeys: gotcha }));
    issues(new Proxy({}, { getPrototypeOf: gotcha }));
    issues({ ...minimal, hooks: [{ toJSON: gotcha }] });
  });

  test("a getter is read once, so that what was checked is what is kept", () => {
    let reads = 0;
    const input = Object.defineProperty({ ...minimal }, "entry", {
      enumerable: true,
      get: () => (reads++ === 0 ? "a.wasm" : "../../etc/passwd"),
    });
    expect(parseManifest(input).entry).toBe("a.wasm");
  });

  test("the source is named in the message", () => {
    expect(() => parseManifest({}, { source: "plugins/x/manifest.json" })).toThrow(
      /^plugins\/x\/manifest\.json is not valid/,
    );
  });
});

describe("any input at all", () => {
  const attempt = (input: unknown): void => {
    let manifest: Manifest | undefined;
    try {
      manifest = parseManifest(input);
    } catch (error) {
      expect(isKeelsonError(error, "INVALID_MANIFEST")).toBe(true);
      expect(JSON.parse(JSON.stringify(error))).toMatchObject({ code: "INVALID_MANIFEST" });
      return;
    }
    expect(isFrozen(manifest)).toBe(true);
    expect(parseManifest(JSON.stringify(manifest))).toStrictEqual(manifest);
  };

  test("gives a frozen manifest or INVALID_MANIFEST", () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
        attempt,
      ),
      { numRuns: 300 },
    );
    fc.assert(fc.property(fc.string(), attempt));
    fc.assert(fc.property(fc.uint8Array(), attempt));
  });

  test("also when any one place of a sound manifest holds something else, as object and as text", () => {
    const paths: (string | number)[][] = [];
    const walk = (value: unknown, path: (string | number)[]): void => {
      paths.push(path);
      if (Array.isArray(value)) for (const [index, one] of value.entries()) walk(one, [...path, index]);
      else if (typeof value === "object" && value !== null) {
        for (const [key, one] of Object.entries(value)) walk(one, [...path, key]);
      }
    };
    walk(full, []);
    const json = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom<unknown>(
        undefined,
        "",
        "keelson/v1",
        "process",
        -1,
        1e308,
        "64MiB",
        "*",
        {},
        [],
        [{}],
        { "": "" },
        "constructor",
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...paths), json, fc.boolean(), fc.string(), (path, value, rename, key) => {
        const copy = structuredClone({ root: full }) as unknown as Record<string, unknown>;
        let at: Record<string, unknown> = copy;
        const steps: (string | number)[] = ["root", ...path];
        for (const step of steps.slice(0, -1)) at = at[step] as Record<string, unknown>;
        const last = steps.at(-1) as string;
        if (rename && !Array.isArray(at))
          Object.defineProperty(at, key, { value, enumerable: true, configurable: true, writable: true });
        else at[last] = value;
        attempt(copy["root"]);
        const text = JSON.stringify(copy["root"]);
        if (text !== undefined) attempt(text);
      }),
      { numRuns: 1000 },
    );
  });
});
