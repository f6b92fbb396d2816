import { MAX_SLICE, PARKED, PARKED_BELOW } from "./layout.ts";
import type { MeterMeta } from "./options.ts";

/**
 * Answers a guest that asks to go on: the new counter, from zero to {@link MAX_SLICE}, or `STOP`. To
 * `RefillKind.host` the counter as it was, `unpark`ed, is an answer too, even when it is below zero.
 * It must not throw: a guest can catch what it throws, but never a stop. `counter` is what is left, below zero when
 * overdrawn; with `RefillKind.allocation` it is what an allocation needs.
 */
export type RefillFunction = (kind: number, counter: number) => number;

/** As {@link RefillFunction}, but the guest may be suspended until it is answered. */
export type RefillLaterFunction = (kind: number, counter: number) => number | Promise<number>;

/** The host's hand on one instance of a metered module. */
export interface Attached {
  /** Fuel left in the slice, as of the last call or exit of the guest; a parked counter is given as it was. */
  fuel: number;
  /** The same as it stands, parked or not. */
  counter: number;
  /** Whether the guest asks by the suspending refill, when there is one. Only while it was entered through `promising`. */
  suspends: boolean;
  /** Bytes of stack left; 0 when depth is not counted. Set it before each entry from outside. */
  depth: number;
  /** Bytes that memories and objects may still take; Infinity when they are not capped. */
  readonly roomBytes: number;
  /** Keeps which large functions were called, whose first call costs more. */
  keepCalled(): void;
  /** Has that as it was kept, or as in a new instance. */
  restoreCalled(): void;
  /** Runs the module's start function, if it has one: once, before any other export. */
  start(): void;
}

// (module (import "h" "f" (func (param i32 i32) (result i32))) (export "f" (func 0)))
const bridge = Uint8Array.of(
  ...[
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 2, 7, 1, 1, 0x68, 1, 0x66, 0, 0,
  ],
  ...[7, 5, 1, 1, 0x66, 0, 0],
);
let bridgeModule: WebAssembly.Module | undefined;

/** A function that a table can hold and that calls `run`: the JavaScript interface has no other way everywhere. */
function tableFunction(run: WebAssembly.ImportValue): WebAssembly.ExportValue {
  bridgeModule ??= new WebAssembly.Module(bridge);
  return new WebAssembly.Instance(bridgeModule, { h: { f: run } }).exports["f"]!;
}

type Read = () => number;
type Write = (value: number) => void;

/**
 * Takes hold of an instance of a metered module. Until this is done, everything but the tiniest functions traps in it.
 *
 * @param refill see {@link RefillFunction}; it is called from inside the guest.
 * @param later takes its place while {@link Attached.suspends}. Its promise must never reject, for the same reason. Reached where the guest
 * was not entered through `promising` it throws whatever it answers, and a guest can catch that for ever.
 */
export function attach(
  instance: WebAssembly.Instance,
  meta: MeterMeta,
  refill: RefillFunction,
  later?: RefillLaterFunction,
): Attached {
  const names = meta.exports;
  const find = (name: string | undefined): unknown =>
    name === undefined ? undefined : instance.exports[name];
  const fuel = find(names.fuel) as Read;
  const setFuel = find(names.setFuel) as Write;
  const depth = find(names.depth) as Read | undefined;
  const setDepth = find(names.setDepth) as Write | undefined;
  const room = find(names.room) as Read | undefined;
  const keepCalled = find(names.keepCalled) as (() => void) | undefined;
  const restoreCalled = find(names.restoreCalled) as (() => void) | undefined;
  const start = find(names.start) as (() => void) | undefined;
  const table = instance.exports[names.refill] as WebAssembly.Table;
  const plain = tableFunction(refill);
  const suspending = later && tableFunction(suspendingImport(later));
  table.set(0, plain);
  return {
    get suspends() {
      return suspending !== undefined && table.get(0) === suspending;
    },
    set suspends(value) {
      if (suspending !== undefined) table.set(0, value ? suspending : plain);
    },
    get fuel() {
      return unpark(fuel());
    },
    set fuel(value) {
      setFuel(Math.min(value, MAX_SLICE));
    },
    get counter() {
      return fuel();
    },
    set counter(value) {
      setFuel(value);
    },
    get depth() {
      return depth?.() ?? 0;
    },
    set depth(value) {
      setDepth?.(value);
    },
    get roomBytes() {
      return room ? room() * 16 : Number.POSITIVE_INFINITY;
    },
    keepCalled() {
      keepCalled?.();
    },
    restoreCalled() {
      restoreCalled?.();
    },
    start() {
      start?.();
    },
  };
}

function suspendingImport(run: RefillLaterFunction): WebAssembly.ImportValue {
  const Suspending = WebAssembly.Suspending as NonNullable<typeof WebAssembly.Suspending>;
  return new Suspending(run) as unknown as WebAssembly.ImportValue;
}

/** The counter as it was before it was parked for a call of an import. */
function unpark(counter: number): number {
  return counter < PARKED_BELOW ? counter + PARKED : counter;
}

/** Whether a guest that asks was in an import. */
export function isParked(given: number): boolean {
  return given > PARKED || given < PARKED_BELOW;
}

/**
 * What a guest that asks has left. While an import runs nobody tests what its callbacks are charged: tens of millions of
 * them take a parked counter below the least number, and it comes back from above the largest.
 */
export function counterGiven(given: number): number {
  return unpark(given > PARKED ? given - 2 ** 32 : given);
}
