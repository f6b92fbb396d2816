import { isKeelsonError } from "@keelson/core";

import { attach, meter, type MeterOptions } from "../../../src/meter/index.ts";
import { type Callable, FuelHost, hash, outcome, show } from "../harness.ts";

const caps = { stackBytes: 400_000, memoryBytes: 2 ** 30, tableElements: 10_000_000 } as const;
const ways: readonly MeterOptions[] = [
  { mode: "exact", ...caps },
  { mode: "deadline", ...caps },
  { mode: "exact" },
];

/** What became of a module: "differs" and "broken" are the meter's fault, all else is in order. */
export interface Comparison {
  readonly result: "invalid" | "refused" | "stopped" | "agrees" | "differs" | "broken";
  readonly detail: string;
}

/** Meters a module in several ways, calls every export with made-up arguments, and compares with the plain module. */
export function compare(bytes: Uint8Array<ArrayBuffer>): Comparison {
  const reason = refusal(bytes);
  let last: Comparison = { result: "agrees", detail: "" };
  for (const way of ways) {
    last = compareOne(bytes, way, reason);
    if (last.result === "broken" && isUndecided(bytes, last))
      return { result: "invalid", detail: last.detail };
    if (last.result !== "agrees") return last;
  }
  return last;
}

/** V8 validates on several threads, and notices two kinds of exceptions in one module or not, as functions fall. */
function isUndecided(bytes: Uint8Array<ArrayBuffer>, { detail }: Comparison): boolean {
  if (detail.includes("mix of legacy and new exception")) return true;
  const answers = Array.from({ length: 50 }, () => WebAssembly.validate(bytes));
  return answers.includes(true) && answers.includes(false);
}

function refusal(bytes: Uint8Array<ArrayBuffer>): string | undefined {
  try {
    new WebAssembly.Module(bytes);
    return undefined;
  } catch (error) {
    return String(error);
  }
}

function compareOne(
  bytes: Uint8Array<ArrayBuffer>,
  way: MeterOptions,
  reason: string | undefined,
): Comparison {
  let metered;
  try {
    metered = meter(bytes, way);
  } catch (error) {
    const code = isKeelsonError(error) ? error.code : undefined;
    const inOrder = code !== undefined && (code === "INVALID_WASM") === (reason !== undefined);
    return {
      result: !inOrder ? "broken" : reason ? "invalid" : "refused",
      detail: `${String(error)} ${reason}`,
    };
  }
  const after = refusal(metered.bytes);
  if (reason !== undefined || after !== undefined) {
    return {
      result: "broken",
      detail: `${way.mode}: before: ${reason ?? "valid"}, after: ${after ?? "valid"}`,
    };
  }
  // first metered: a guest that never ends is stopped there
  const host = new FuelHost(20_000_000, 10_000);
  const one = play(metered.bytes, (instance) => {
    const attached = attach(instance, metered.meta, host.refill);
    attached.depth = metered.meta.stackBytes;
    attached.start();
    return () => {
      attached.depth = metered.meta.stackBytes;
    };
  });
  if (host.stopped || host.asked[4]! + host.asked[5]! > 0)
    return { result: "stopped", detail: host.stopped ?? "cap" };
  const other = play(bytes, () => () => {});
  const at = one.findIndex((line, index) => line !== other[index]);
  if (at < 0 && one.length === other.length) return { result: "agrees", detail: "" };
  return { result: "differs", detail: `${way.mode}: metered ${one[at]}, plain ${other[at]}` };
}

/** Instantiates a module, calls what it exports, and tells what there was to see. */
function play(
  bytes: Uint8Array<ArrayBuffer>,
  begin: (instance: WebAssembly.Instance) => () => void,
): readonly string[] {
  const module = new WebAssembly.Module(bytes);
  const calls = { made: 0 };
  let exports: WebAssembly.Exports;
  let enter: () => void;
  try {
    const instance = new WebAssembly.Instance(module, importsOf(module, calls));
    exports = instance.exports;
    enter = begin(instance);
  } catch (error) {
    return [
      outcome(() => {
        throw error;
      }),
    ];
  }
  const lines: string[] = [];
  const own = Object.entries(exports).filter(([name]) => !name.startsWith("keelson:"));
  for (const [name, item] of own) {
    if (typeof item !== "function" || name === "hangLimitInitializer") continue;
    // binaryen's fuzzer counts loops in a global, and ends calls that took too many
    (exports["hangLimitInitializer"] as unknown as Callable | undefined)?.();
    const call = item as unknown as Callable;
    const args = Array.from({ length: call.length }, (_, index) => index * 3 + 1);
    enter();
    let line = outcome(() => call(...args));
    if (line.includes("BigInt")) line = outcome(() => call(...args.map(BigInt)));
    lines.push(`${name}: ${line}, ${calls.made} calls`);
  }
  for (const [name, item] of own) {
    if (item instanceof WebAssembly.Memory) lines.push(`${name}: ${hash(new Uint8Array(item.buffer))}`);
    else if (item instanceof WebAssembly.Global) lines.push(outcome(() => show(item.value)));
  }
  return lines;
}

function importsOf(module: WebAssembly.Module, calls: { made: number }): WebAssembly.Imports {
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = imported(kind, name, calls);
  }
  return imports;
}

function imported(kind: string, name: string, calls: { made: number }): WebAssembly.ImportValue {
  switch (kind) {
    case "function":
      return (() => {
        calls.made++;
        if (name === "throw") throw new Error("the host failed");
        return 0;
      }) as unknown as WebAssembly.ImportValue;
    case "memory":
      return new WebAssembly.Memory({ initial: 1, maximum: 20 });
    case "table":
      return new WebAssembly.Table({ element: "anyfunc", initial: 10 });
    case "tag":
      return new WebAssembly.Tag({ parameters: [name === "jstag" ? "externref" : "i32"] }) as never;
    default:
      return 0;
  }
}
