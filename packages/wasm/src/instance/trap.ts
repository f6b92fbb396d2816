import type { Usage } from "@keelson/core";
import { describeThrown, isKeelsonError, KeelsonError, withDetails } from "@keelson/core/plain";
import { isStackOverflow } from "../governor/overflow.ts";
import { noteRefusals, type Refusals } from "../governor/stop.ts";
import { isA } from "../governor/thrown.ts";
import { isSuspendError, withoutGuest } from "./engine-error.ts";
import type { TrapPosition } from "./trap-position.ts";

/**
 * Why a guest trapped, the same on all engines: `unreachable` an unreachable instruction; `out-of-bounds` memory, data or
 * element access; `divide-by-zero`; `overflow` a quotient or a float that fits no integer; `indirect-call` a table index or
 * signature that does not fit; `stack` calls nested too deep; `exception` one of the guest's own that nobody caught;
 * `panic` the guest ended itself and said why; `other` anything else.
 */
export type TrapKind =
  | "unreachable"
  | "out-of-bounds"
  | "divide-by-zero"
  | "overflow"
  | "indirect-call"
  | "stack"
  | "exception"
  | "panic"
  | "other";

/**
 * The engines' own words, V8's before JavaScriptCore's. JavaScriptCore appends the JavaScript that it was evaluating, so only
 * beginnings are looked at. The order matters: a table index "out of bounds" is no memory access.
 */
const WORDS: readonly (readonly [RegExp, TrapKind])[] = [
  [/^unreachable/i, "unreachable"],
  [/divi(de|sion) by zero|^remainder by zero/i, "divide-by-zero"],
  [/unrepresentable|^integer overflow|^out of bounds trunc/i, "overflow"],
  [/table|call_indirect|^null function|signature mismatch/i, "indirect-call"],
  [/out of bounds|outside of memory/i, "out-of-bounds"],
];

const PLAIN: Readonly<Record<TrapKind, string>> = {
  unreachable: "it executed an unreachable instruction",
  "out-of-bounds": "it accessed memory out of bounds",
  "divide-by-zero": "it divided by zero",
  overflow: "a number did not fit an integer",
  "indirect-call": "an indirect call had a wrong index or signature",
  stack: "its calls nested too deep",
  exception: "an exception of its own was not caught",
  panic: "it ended itself",
  other: "the engine stopped it",
};

/** The kind of a trap by an engine's message. */
export function trapKind(message: string): TrapKind {
  for (const [words, kind] of WORDS) if (words.test(message)) return kind;
  return "other";
}

/** What messages and details say about a failure. */
export interface TrapPlace {
  readonly module: string;
  /** The method called, or "start" for instantiation. */
  readonly method: string;
  /** It has never served a call yet. */
  readonly starting?: boolean;
  readonly memoryBytes: number;
  /** What the call used until then, where it is counted. */
  readonly usage?: Usage | undefined;
  /** Where in the module the guest was, as far as the engine tells. */
  readonly at?: TrapPosition | undefined;
  /** Growth that the call asked for in vain, where it is seen. */
  readonly refused?: Refusals | undefined;
}

/** The error for something that was thrown out of a running guest, by the engine, the guest or a host function. */
export function trapError(thrown: unknown, place: TrapPlace): KeelsonError {
  if (isKeelsonError(thrown)) return saysWhose(thrown, place.module, place.method);
  const where = `${place.module}: the guest trapped in ${place.method}`;
  if (isA(thrown, WebAssembly.RuntimeError))
    return trap(trapKind(describeThrown(thrown)), where, withoutGuest(thrown), place);
  if (isStackOverflow(thrown)) return trap("stack", where, withoutGuest(thrown), place);
  if (isA(thrown, WebAssembly.Exception)) return trap("exception", where, thrown, place);
  if (isSuspendError(thrown)) {
    return new KeelsonError("WASM_LINK", `${where}: it waited for a host function where it cannot wait`, {
      hint: "a guest can be suspended neither in its start function or _initialize, nor inside a host function that calls it back",
      details: details("other", place),
      cause: withoutGuest(thrown),
    });
  }
  return new KeelsonError(
    "CALL_FAILED",
    `${place.module}: a host function failed during ${place.method}: ${describeThrown(thrown)}`,
    {
      hint: "the guest was left half-way, so its instance is discarded",
      details: details("other", place),
      cause: thrown,
    },
  );
}

/** The same error; one of what reads a guest's memory, which does not know whose it is, gets module and method. */
export function saysWhose(error: KeelsonError, module: string, method: string): KeelsonError {
  if (error.code !== "OUT_OF_BOUNDS") return error;
  return withDetails(error, { module, method }, error.message.startsWith(`${module}:`) ? undefined : module);
}

/** A trap with the guest's own words. */
export function panicError(module: string, text: string): KeelsonError {
  return new KeelsonError("WASM_TRAP", `${module}: the guest ended itself: ${text}`, {
    hint: "this is the plugin's own message; its instance is discarded",
    details: { kind: "panic" satisfies TrapKind, module, text },
  });
}

function trap(kind: TrapKind, where: string, cause: unknown, place: TrapPlace): KeelsonError {
  return new KeelsonError(kind === "stack" ? "STACK_EXHAUSTED" : "WASM_TRAP", `${where}: ${PLAIN[kind]}`, {
    hint: hintFor(place),
    details: details(kind, place),
    cause,
  });
}

/** Few guests expect to be refused: what follows is often a trap of their own. */
function hintFor({ starting, refused = { memory: 0, table: 0 } }: TrapPlace): string {
  const asked = refused.memory > 0 ? "memory" : "tables";
  if (refused.memory + refused.table === 0) {
    return starting === true
      ? "it never came to serve a call: correct the module, or what it is given to import"
      : "the instance is discarded; the next call gets another";
  }
  return `it was refused larger ${asked} before: raise limits.${asked === "memory" ? "memory" : "tableElements"}, or give it less to do`;
}

/** Adds a place to an error's details. */
export function notePlace(facts: Record<string, unknown>, place: TrapPlace): Record<string, unknown> {
  facts["module"] = place.module;
  facts["method"] = place.method;
  facts["memoryBytes"] = place.memoryBytes;
  if (place.usage !== undefined) facts["usage"] = place.usage;
  if (place.at !== undefined) facts["at"] = place.at;
  if (place.refused !== undefined) noteRefusals(facts, place.refused);
  return facts;
}

function details(kind: TrapKind, place: TrapPlace): Record<string, unknown> {
  return notePlace({ kind }, place);
}
