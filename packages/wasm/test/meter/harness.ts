import {
  attach,
  type Attached,
  meter,
  type MeteredModule,
  type MeterOptions,
  RefillKind,
  STOP,
  counterGiven,
} from "../../src/meter/index.ts";

export type Callable = (...args: unknown[]) => unknown;

/** A host that hands out fuel in slices up to a limit, and counts why it was asked. */
export class FuelHost {
  granted = 0;
  limit: number;
  slice: number;
  /** How often it was asked, by {@link RefillKind}. */
  readonly asked: number[] = Array.from({ length: 8 }, () => 0);
  /** The lowest counter that it was asked with. */
  lowest = 0;
  /** Why it stopped the guest. */
  stopped: "fuel" | "stack" | "memory" | "asked" | undefined;
  /** What had been charged when fuel ran out. */
  usedWhenStopped: number | undefined;
  /** Looked at whenever the guest asks: true stops it. */
  wantsStop: () => boolean = () => false;

  constructor(limit = 1e9, slice = 1_000_000) {
    this.limit = limit;
    this.slice = slice;
  }

  readonly refill = (kind: number, counter: number): number => {
    this.asked[kind]!++;
    if (this.stopped) return STOP;
    if (kind === RefillKind.stack) return this.stop("stack");
    if (kind === RefillKind.allocation) return this.stop("memory");
    if (this.wantsStop()) return this.stop("asked");
    let left = counterGiven(counter);
    this.lowest = Math.min(this.lowest, left);
    if (kind === RefillKind.host) return left;
    let granted = this.granted;
    while (left < 0) {
      const grant = Math.min(this.slice, this.limit - granted);
      if (grant <= 0) {
        this.usedWhenStopped = this.granted - counterGiven(counter);
        return this.stop("fuel");
      }
      granted += grant;
      left += grant;
    }
    this.granted = granted;
    return left;
  };

  stop(why: NonNullable<FuelHost["stopped"]>): number {
    this.stopped = why;
    return STOP;
  }
}

export interface Running {
  readonly exports: Record<string, Callable>;
  readonly instance: WebAssembly.Instance;
  readonly attached: Attached;
  readonly host: FuelHost;
  readonly metered: MeteredModule;
  /** Fuel used so far. */
  used(): number;
}

export const usual = { stackBytes: 256 * 1024, memoryBytes: 64 * 2 ** 20, tableElements: 100_000 } as const;

/** Meters, compiles, instantiates and starts a module. */
export function run(
  bytes: Uint8Array,
  options: MeterOptions = { mode: "exact", ...usual },
  imports: WebAssembly.Imports = {},
  host: FuelHost = new FuelHost(),
): Running {
  const metered = meter(bytes, options);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(metered.bytes), imports);
  const attached = attach(instance, metered.meta, host.refill);
  attached.depth = metered.meta.stackBytes;
  attached.start();
  return {
    exports: instance.exports as unknown as Record<string, Callable>,
    instance,
    attached,
    host,
    metered,
    used: () => host.usedWhenStopped ?? host.granted - attached.fuel,
  };
}

/** What became of a call: its value, or what it threw, in a form that can be compared. */
export function outcome(call: () => unknown): string {
  try {
    return show(call());
  } catch (error) {
    if (error instanceof WebAssembly.Exception) return "throws an exception";
    if (error instanceof RangeError) return "throws RangeError";
    return `throws ${error instanceof Error ? `${error.name}: ${error.message.replace(/ \(evaluating .*/, "")}` : String(error)}`;
  }
}

export function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "function";
  if (typeof value === "object" && value !== null) return "object";
  return String(value);
}

/** A short digest of an instance's memories, as exported. */
export function digest(exports: WebAssembly.Exports): string {
  let text = "";
  for (const [name, item] of Object.entries(exports)) {
    if (item instanceof (WebAssembly.Memory as unknown as new () => WebAssembly.Memory)) {
      text += `${name}:${hash(new Uint8Array(item.buffer))} `;
    }
  }
  return text;
}

export function hash(bytes: Uint8Array): string {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  let a = 0x811c9dc5;
  for (let index = 0; index < words.length; index++) a = Math.imul(a ^ words[index]!, 0x01000193);
  return (a >>> 0).toString(16);
}

export const modes: readonly MeterOptions[] = [
  { mode: "deadline" },
  { mode: "deadline", ...usual },
  { mode: "exact" },
  { mode: "exact", ...usual },
  { mode: "exact", ...usual, checkImports: false, branchHints: false },
];
