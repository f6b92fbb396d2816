import type { Bytes, Value } from "@keelson/core";
import { describeThrown, isKeelsonError } from "@keelson/core/plain";
import { isStackOverflow } from "../governor/overflow.ts";
import { isA } from "../governor/thrown.ts";
import { BrokenMessage, Reader, Writer } from "./codec.ts";
import { Ask, errorFrom, errorValue, Tell } from "./messages.ts";

/** What a host gives a guest on the other side: a function by its place, or a number for a global. */
export interface Provided {
  /** Place among the module's imports. */
  readonly index: number;
  /** Undefined for a function: that stays where it is, and is called over the line. */
  readonly value: number | bigint | undefined;
}

/** Why a guest that waits for its host is not answered any more. */
export type OverCode = "DEADLINE_EXCEEDED" | "ABORTED";

/** What comes back for a call of a host function. */
export type HostAnswer =
  | {
      readonly kind: "value";
      /** Time that the function ran, without waits, ms. */
      readonly hostMs: number;
      /** A number or bigint, an array of them for several, undefined for none. */
      readonly value: Value;
    }
  | { readonly kind: "thrown"; readonly hostMs: number; readonly thrown: unknown }
  | { readonly kind: "over"; readonly code: OverCode };

/** Arguments that engines let a function have, and the list that holds them. */
const MAX_ARGUMENTS = 1_001;

const VALUE = 0;
const THROWN = 1;
const LATE = 2;
const ABORTED = 3;

export function writeMake(provided: readonly Provided[], head: number): Bytes {
  const writer = new Writer(head, 16 + provided.length * 8);
  writer.byte(Ask.make);
  writer.word(provided.length);
  for (const { index, value } of provided) {
    writer.word(index);
    writer.value(value);
  }
  return writer.take();
}

export function readMake(message: Bytes, head: number): readonly Provided[] {
  const reader = new Reader(message, head + 1);
  const provided: Provided[] = [];
  for (let left = reader.word(); left > 0; left--)
    provided.push({ index: reader.word(), value: reader.value() as Provided["value"] });
  return provided;
}

/** @throws KeelsonError `INVALID_PAYLOAD` for arguments that are references */
export function writeHostCall(index: number, args: readonly unknown[], head: number): Bytes {
  const writer = new Writer(head, 128);
  writer.byte(Tell.hostCall);
  writer.word(index);
  writer.value(args as Value);
  return writer.take();
}

/** @throws BrokenMessage */
export function readHostCall(
  message: Bytes,
  head: number,
): { readonly index: number; readonly args: readonly (number | bigint)[] } {
  const reader = new Reader(message, head + 1, MAX_ARGUMENTS);
  const index = reader.word();
  const args = reader.value();
  if (!Array.isArray(args) || !args.every((one) => typeof one === "number" || typeof one === "bigint"))
    throw new BrokenMessage("arguments that are no numbers");
  return { index, args: args as readonly (number | bigint)[] };
}

/** @throws KeelsonError `INVALID_PAYLOAD` for a value that is no plain data */
export function writeHostValue(value: Value, hostMs: number, head: number): Bytes {
  const writer = new Writer(head, 64);
  writer.byte(Ask.answer);
  writer.byte(VALUE);
  writer.float(hostMs);
  writer.value(value);
  return writer.take();
}

export function writeHostThrown(thrown: unknown, hostMs: number, head: number): Bytes {
  try {
    return writeThrown(thrownValue(thrown), hostMs, head);
  } catch {
    // It passes for an error, and is none: even its message may be a symbol.
    return writeThrown({ as: "error", message: String(describeThrown(thrown)) }, hostMs, head);
  }
}

function writeThrown(value: Value, hostMs: number, head: number): Bytes {
  const writer = new Writer(head);
  writer.byte(Ask.answer);
  writer.byte(THROWN);
  writer.float(hostMs);
  writer.value(value);
  return writer.take();
}

export function writeOver(code: OverCode, head: number): Bytes {
  const message = new Uint8Array(head + 2);
  message[head] = Ask.answer;
  message[head + 1] = code === "ABORTED" ? ABORTED : LATE;
  return message;
}

export function readHostAnswer(message: Bytes, head: number): HostAnswer {
  const reader = new Reader(message, head + 1);
  const kind = reader.byte();
  if (kind === LATE || kind === ABORTED)
    return { kind: "over", code: kind === LATE ? "DEADLINE_EXCEEDED" : "ABORTED" };
  const hostMs = reader.float();
  const value = reader.value();
  if (kind === VALUE) return { kind: "value", hostMs, value };
  return { kind: "thrown", hostMs, thrown: thrownFrom(value) };
}

/** What a host function threw, so that its guest fails over there as it would here. */
function thrownValue(thrown: unknown): Value {
  if (isKeelsonError(thrown)) return { as: "keelson", error: errorValue(thrown) };
  if (isStackOverflow(thrown)) return { as: "overflow" };
  if (isA(thrown, WebAssembly.RuntimeError)) return { as: "trap", message: describeThrown(thrown) };
  if (isA(thrown, WebAssembly.Exception)) return { as: "exception" };
  return { as: "error", message: describeThrown(thrown) };
}

function thrownFrom(wire: Value): unknown {
  const { as, message, error } = wire as {
    readonly as: string;
    readonly message?: string;
    readonly error?: Value;
  };
  if (as === "keelson") return errorFrom(error);
  // In the engines' own words, by which it is known.
  if (as === "overflow") return new RangeError("Maximum call stack size exceeded");
  if (as === "trap") return new WebAssembly.RuntimeError(message);
  if (as === "exception") return new WebAssembly.Exception(new WebAssembly.Tag({ parameters: [] }), []);
  return new Error(message);
}
