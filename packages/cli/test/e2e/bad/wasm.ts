// WebAssembly files that cannot run, and guests that do wrong.
import type { ErrorCode } from "@keelson/core";
import { wasmModule } from "@keelson/wasm";
import { wat } from "../../../../wasm/test/support/wat.ts";
import { keelsonGuest, on, answer, ECHO } from "../../../../wasm/test/support/guests.ts";
import type { BadCase, Ground } from "./case.ts";

const adder =
  wat(`(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "trap") unreachable))`);

function file(content: string | Uint8Array): (ground: Ground) => Promise<unknown> {
  return ({ kernel, write }) => kernel.load(write("bad.wasm", content));
}

function manifest(
  change: Readonly<Record<string, unknown>>,
  content: Uint8Array = adder,
): (ground: Ground) => Promise<unknown> {
  return ({ kernel, write }) => {
    write("guest.wasm", content);
    const all = {
      apiVersion: "keelson/v1",
      id: "guest",
      name: "Guest",
      version: "1.0.0",
      kind: "wasm",
      entry: "./guest.wasm",
      ...change,
    };
    return kernel.load(write("manifest.json", JSON.stringify(all)));
  };
}

function call(
  source: Uint8Array<ArrayBuffer>,
  method: string,
  payload?: unknown,
): (ground: Ground) => Promise<unknown> {
  return async ({ kernel }) => {
    await kernel.register(wasmModule({ id: "guest", source }));
    await kernel.start("guest");
    return kernel.invoke("guest", method, payload as never);
  };
}

const files: readonly [what: string, code: ErrorCode | readonly ErrorCode[], content: string | Uint8Array][] =
  [
    ["that is empty", "INVALID_WASM", ""],
    ["of one byte", "INVALID_WASM", Uint8Array.of(0)],
    ["that is the magic number alone", "INVALID_WASM", Uint8Array.of(0, 0x61, 0x73, 0x6d)],
    ["that is text", "INVALID_WASM", "hello, I am no module\n"],
    ["that is a module's source", "INVALID_WASM", '(module (func (export "run")))'],
    ["that is a page", "INVALID_WASM", "<!doctype html><title>404</title>"],
    [
      "that is a native program",
      "INVALID_WASM",
      Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0),
    ],
    ["that is zipped", "INVALID_WASM", Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3)],
    ["of a version that is not yet", "INVALID_WASM", Uint8Array.of(0, 0x61, 0x73, 0x6d, 9, 0, 0, 0)],
    ["that is a component", "UNSUPPORTED_WASM", Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0)],
    ["with garbage behind its end", "INVALID_WASM", Uint8Array.of(...adder, 0xff, 0xff, 0xff)],
    ["with nothing in it", "UNKNOWN_ABI", Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)],
    [
      "that imports what nobody has",
      "MISSING_IMPORT",
      wat('(module (import "env" "launch" (func)) (func (export "run")))'),
    ],
    [
      "whose start function traps",
      "WASM_TRAP",
      wat('(module (func $s unreachable) (start $s) (func (export "run")))'),
    ],
    [
      "that wants more memory than it may have",
      ["OUT_OF_MEMORY", "WASM_LINK"],
      wat('(module (memory (export "memory") 30000) (func (export "run")))'),
    ],
    [
      "whose data lie outside its memory",
      ["WASM_LINK", "WASM_TRAP", "OUT_OF_BOUNDS"],
      wat('(module (memory 1) (data (i32.const 70000) "x") (func (export "run")))'),
    ],
  ];

const guest = wat(
  keelsonGuest(
    ECHO + on("o", answer(0, 1, 0, 0x7fff_0000)) + on("u", "unreachable") + on("s", answer(77, 1, 0, 0)),
  ),
);
const circle: unknown[] = [];
circle.push(circle);

const payloads: readonly [what: string, payload: unknown][] = [
  ["a function", () => 1],
  ["a symbol", Symbol("x")],
  ["a circle", circle],
  ["a map", new Map([["a", 1]])],
  ["a date", new Date(0)],
  ["not a number", Number.NaN],
  [
    "an object with a getter that throws",
    Object.defineProperty({}, "x", {
      enumerable: true,
      get: () => {
        throw undefined;
      },
    }),
  ],
  ["a list nested a hundred thousand deep", deep(100_000)],
  ["a promise", new Promise(() => {})],
  [
    "a proxy that refuses everything",
    new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("no");
        },
        getPrototypeOf: () => {
          throw undefined;
        },
      },
    ),
  ],
];

/** Things that cannot be copied, for whoever must copy. */
export const unclonable: readonly [what: string, payload: unknown][] = payloads;

export const wasmCases: readonly BadCase[] = [
  ...files.map(([what, code, content]): BadCase => ({
    title: `a WebAssembly file ${what}`,
    code,
    run: file(content),
  })),
  ...[9, 12, 20, Math.floor(adder.length / 2), adder.length - 1].map((length): BadCase => ({
    title: `a WebAssembly file cut off after ${length} of ${adder.length} bytes`,
    code: ["INVALID_WASM", "UNKNOWN_ABI"],
    run: file(adder.subarray(0, length)),
  })),
  { title: "an ABI that does not exist", code: "UNKNOWN_ABI", run: manifest({ abi: "keelsom" }) },
  { title: "an ABI whose exports are missing", code: "MISSING_EXPORT", run: manifest({ abi: "oxide" }) },
  {
    title: "a file that is not the one of its integrity",
    code: "INVALID_WASM",
    run: manifest({ integrity: `sha256-${"A".repeat(43)}=` }),
  },
  {
    title: "a call of a guest's method that does not exist",
    code: "UNKNOWN_METHOD",
    run: call(adder, "subtract"),
  },
  { title: "a call with too few numbers", code: "INVALID_PAYLOAD", run: call(adder, "add", [1]) },
  { title: "a call with words for numbers", code: "INVALID_PAYLOAD", run: call(adder, "add", ["1", "2"]) },
  { title: "a guest that traps", code: "WASM_TRAP", run: call(adder, "trap") },
  { title: "a guest of bytes that traps", code: "WASM_TRAP", run: call(guest, "u") },
  {
    title: "a guest that answers with what lies outside its memory",
    code: "OUT_OF_BOUNDS",
    run: call(guest, "o"),
  },
  {
    title: "a guest that answers with a status that is none",
    code: ["GUEST_ERROR", "INVALID_PAYLOAD", "WASM_TRAP", "UNSUPPORTED_WASM"],
    run: call(guest, "s"),
  },
  ...payloads.map(([what, payload]): BadCase => ({
    title: `${what} for a guest`,
    code: "INVALID_PAYLOAD",
    run: call(guest, "echo", payload),
  })),
];

function deep(levels: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}
