import { readFileSync } from "node:fs";
import { join } from "node:path";

import { isKeelsonError } from "@keelson/core";

import { attach, type Attached, meter, type MeterOptions } from "../../../src/meter/index.ts";
import { FuelHost, show } from "../harness.ts";
import { bitAdapter, canCross, crossingArguments, type SpecValue } from "./adapter.ts";

/** One command of a file that wast2json wrote. */
interface Command {
  readonly type: string;
  readonly line: number;
  readonly filename?: string;
  readonly name?: string;
  readonly as?: string;
  readonly module_type?: string;
  readonly action?: {
    readonly type: string;
    readonly module?: string;
    readonly field: string;
    readonly args?: readonly SpecValue[];
  };
  readonly expected?: readonly SpecValue[];
}

/** What became of a file's commands: each is counted once. */
export interface SpecResult {
  readonly commands: number;
  /** Executed plain and metered, with the same outcome. */
  agree: number;
  readonly differ: { readonly line: number; readonly plain: string; readonly metered: string }[];
  /** Not executed on both sides, by reason. */
  readonly skipped: Map<string, number>;
}

/** Makes a side's instances; the metered one may be replaced by a broken one, to see that the runner notices. */
export type Rewrite = (bytes: Uint8Array<ArrayBuffer>, options: MeterOptions) => ReturnType<typeof meter>;

const caps = {
  stackBytes: 256 * 1024,
  memoryBytes: 4 * 2 ** 30,
  tableElements: 10_000_000,
} as const;

/** The ways of metering that are compared with the plain modules. */
export const ways: readonly MeterOptions[] = [
  { mode: "exact", ...caps },
  { mode: "deadline", ...caps },
];

interface Loaded {
  readonly exports: WebAssembly.Exports;
  readonly attached?: Attached;
}

class Skip extends Error {}

/** One of the two sides of the comparison, with its own instances. */
class Side {
  readonly #rewrite: Rewrite | undefined;
  readonly #options: MeterOptions;
  readonly #host = new FuelHost(1e13, 10_000_000);
  readonly #named = new Map<string, Loaded>();
  readonly #registered: Record<string, WebAssembly.Exports> = { spectest: spectest() };
  #last: Loaded | undefined;

  constructor(options: MeterOptions, rewrite?: Rewrite) {
    this.#options = options;
    this.#rewrite = rewrite;
  }

  /** Compiles a module, or says why not: "invalid", or "unsupported" by the meter. */
  compile(bytes: Uint8Array<ArrayBuffer>): {
    module: WebAssembly.Module;
    metered?: ReturnType<typeof meter>;
  } {
    this.#host.stopped = undefined;
    if (!this.#rewrite) return { module: new WebAssembly.Module(bytes) };
    const metered = this.#rewrite(bytes, this.#options);
    return { module: new WebAssembly.Module(metered.bytes), metered };
  }

  load(bytes: Uint8Array<ArrayBuffer>, name: string | undefined): string {
    this.#last = undefined;
    if (name !== undefined) this.#named.delete(name);
    const { module, metered } = this.compile(bytes);
    const instance = new WebAssembly.Instance(module, this.#registered);
    let loaded: Loaded = { exports: instance.exports };
    if (metered) {
      const attached = attach(instance, metered.meta, this.#host.refill);
      loaded = { exports: instance.exports, attached };
      this.#enter(loaded);
      attached.start();
    }
    this.#last = loaded;
    if (name !== undefined) this.#named.set(name, loaded);
    return "loaded";
  }

  register(name: string | undefined, as: string): string {
    this.#registered[as] = this.#find(name).exports;
    return "registered";
  }

  act(
    { type, module, field, args = [] }: NonNullable<Command["action"]>,
    expected: readonly SpecValue[],
  ): string {
    const loaded = this.#find(module);
    const item = loaded.exports[field];
    if (item === undefined) throw new Skip("no such export");
    if (type === "get") return show((item as WebAssembly.Global).value);
    const types = [...args, ...expected].map((value) => value.type);
    const odd = types.find((name) => !canCross(name));
    if (odd !== undefined) throw new Skip(`a value of type ${odd} cannot cross`);
    const call = bitAdapter(
      item,
      args.map((value) => value.type),
      expected.map((value) => value.type),
    );
    this.#enter(loaded);
    return show(call(...args.flatMap(crossingArguments)));
  }

  #enter(loaded: Loaded): void {
    this.#host.stopped = undefined;
    for (const one of [loaded, ...this.#named.values()]) {
      if (one.attached) one.attached.depth = caps.stackBytes;
    }
  }

  #find(name: string | undefined): Loaded {
    const found = name === undefined ? this.#last : this.#named.get(name);
    if (!found) throw new Skip("its module was not loaded");
    return found;
  }

  /** What is thrown by a call, in terms that both sides share. */
  describe(error: unknown): string {
    if (error instanceof RangeError || this.#host.stopped === "stack") return "stack exhausted";
    if (error instanceof WebAssembly.Exception) return "exception";
    if (error instanceof WebAssembly.CompileError || isKeelsonError(error, "INVALID_WASM")) return "invalid";
    if (error instanceof WebAssembly.LinkError || error instanceof TypeError) return "unlinkable";
    if (error instanceof Error) return `trap: ${error.message.replace(/ \(evaluating .*/, "")}`;
    return String(error);
  }
}

function spectest(): WebAssembly.Exports {
  const nothing = (): void => {};
  return {
    print: nothing,
    print_i32: nothing,
    print_i64: nothing,
    print_f32: nothing,
    print_f64: nothing,
    print_i32_f32: nothing,
    print_f64_f64: nothing,
    global_i32: 666,
    global_i64: 666n,
    global_f32: 666.6,
    global_f64: 666.6,
    table: new WebAssembly.Table({ element: "anyfunc", initial: 10, maximum: 20 }),
    memory: new WebAssembly.Memory({ initial: 1, maximum: 2 }),
  } as unknown as WebAssembly.Exports;
}

/** Runs one file's commands plain and metered, side by side. */
export function runSpecFile(
  folder: string,
  file: string,
  options: MeterOptions = ways[0]!,
  rewrite: Rewrite = meter,
): SpecResult {
  const { commands } = JSON.parse(readFileSync(join(folder, file), "utf8")) as { commands: Command[] };
  const result: SpecResult = { commands: commands.length, agree: 0, differ: [], skipped: new Map() };
  const plain = new Side(options);
  const metered = new Side(options, rewrite);
  for (const command of commands) {
    const execute = (side: Side): string => {
      try {
        return perform(side, folder, command);
      } catch (error) {
        if (error instanceof Skip) throw error;
        if (isKeelsonError(error) && error.code !== "INVALID_WASM")
          throw new Skip(`${error.code}: ${error.message}`);
        return side.describe(error);
      }
    };
    try {
      const one = execute(plain);
      const other = execute(metered);
      // a module that the engine refuses, where the suite expects it to run, was not executed
      if (one === "invalid" && other === "invalid" && !command.type.startsWith("assert_")) {
        throw new Skip("the engine does not accept the module");
      }
      if (one === other) result.agree++;
      else result.differ.push({ line: command.line, plain: one, metered: other });
    } catch (error) {
      if (!(error instanceof Skip)) throw error;
      result.skipped.set(error.message, (result.skipped.get(error.message) ?? 0) + 1);
    }
  }
  return result;
}

function perform(side: Side, folder: string, command: Command): string {
  const bytes = (): Uint8Array<ArrayBuffer> => {
    if (command.module_type === "text") throw new Skip("a module in the text format");
    return new Uint8Array(readFileSync(join(folder, command.filename!)));
  };
  switch (command.type) {
    case "module":
      return side.load(bytes(), command.name);
    case "register":
      return side.register(command.name, command.as!);
    case "action":
    case "assert_return":
    case "assert_trap":
    case "assert_exhaustion":
    case "assert_exception":
      if (!command.action) return side.load(bytes(), command.name);
      return side.act(command.action, command.expected ?? []);
    case "assert_invalid":
    case "assert_malformed":
      side.compile(bytes());
      return "valid";
    case "assert_unlinkable":
    case "assert_uninstantiable":
      return side.load(bytes(), undefined);
    default:
      throw new Skip(`the command ${command.type}`);
  }
}
