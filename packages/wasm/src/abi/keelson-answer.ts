import type { Value } from "@keelson/core";
import { KeelsonError } from "@keelson/core/plain";
import { MAX_TEXT_BYTES, type GuestHost } from "../instance/guest-host.ts";
import { beginningOf, type GuestMemory } from "../instance/guest-memory.ts";
import { fromJson } from "./plain-json.ts";

/** How bytes are to be read, in both directions. */
export const Kind = { none: 0, bytes: 1, json: 2, text: 3 } as const;

/** One of {@link Kind}. */
export type InputKind = (typeof Kind)[keyof typeof Kind];

/** A method's name, kept inside a guest. */
export interface InternedName {
  readonly pointer: number;
  readonly length: number;
}

/** Method names kept inside a guest; a caller that invents names for ever must not fill its memory. */
export const MAX_INTERNED = 256;

/** Of a longer name of a method, which the guest tells, this is shown, UTF-16 units. */
const MAX_NAME = 200;

/** An input buffer larger than this is given back after the call, bytes. */
export const MAX_KEPT_INPUT = 1_048_576;

/** What to ask the guest for: powers of two, so that payloads that grow little by little do not ask for a buffer each time. */
export function inputSize(size: number): number {
  return size > MAX_KEPT_INPUT ? size : Math.max(256, 2 ** Math.ceil(Math.log2(size)));
}

/** What an answer is. */
const Status = { ok: 0, error: 1, unknownMethod: 2 } as const;

/** The answer of a guest that does not know the method. */
export const UNKNOWN: unique symbol = Symbol("unknown method");

/** Reads the record that `keelson_call` answered; believes nothing of it. */
export function readAnswer(
  host: GuestHost,
  memory: GuestMemory,
  record: number,
  method: string,
): Value | typeof UNKNOWN {
  const from = memory.check(record, 16, "the record of an answer");
  const status = memory.wordAt(from);
  const kind = memory.wordAt(from + 4);
  const pointer = memory.wordAt(from + 8);
  const length = memory.wordAt(from + 12);
  if (status === Status.ok) {
    if (kind === Kind.bytes) return memory.copy(pointer, length, "an answer");
    if (kind === Kind.none) return undefined;
    return decode(host, memory, kind, pointer, length, method);
  }
  if (status === Status.unknownMethod) return UNKNOWN;
  if (status !== Status.error) throw protocol(host, `answered ${method} with status ${status}`);
  const body = kind === Kind.none ? "no message" : decode(host, memory, kind, pointer, length, method);
  throw guestError(host, body, method);
}

/** The names in the record that `keelson_methods` answered. */
export function readNames(host: GuestHost, memory: GuestMemory, record: number): readonly string[] {
  if (memory.word(record, "status") !== Status.ok) return [];
  const names = readAnswer(host, memory, record, "keelson_methods");
  if (!Array.isArray(names)) return [];
  return names.filter((name) => typeof name === "string").map((name) => beginningOf(name, MAX_NAME));
}

function decode(
  host: GuestHost,
  memory: GuestMemory,
  kind: number,
  pointer: number,
  length: number,
  method: string,
): Value {
  if (kind !== Kind.json && kind !== Kind.text) throw protocol(host, `answered ${method} with kind ${kind}`);
  const what = `${host.id}: the answer of ${method}`;
  const text = memory.text(pointer, length, what);
  return kind === Kind.text ? text : fromJson(text, what);
}

function guestError(host: GuestHost, body: Value, method: string): KeelsonError {
  const facts =
    typeof body === "object" && body !== null && !Array.isArray(body)
      ? (body as Record<string, unknown>)
      : {};
  const whole =
    typeof body === "string"
      ? body
      : typeof facts["message"] === "string"
        ? facts["message"]
        : JSON.stringify(body);
  // What a call used is told by its host: a guest that says it in its own error would be believed.
  const { usage: _usage, record: _record, ...own } = facts;
  // Messages are printed and kept.
  const said = beginningOf(whole, MAX_TEXT_BYTES);
  return new KeelsonError("GUEST_ERROR", `${host.id}: ${method} failed: ${said}`, {
    details: { ...own, module: host.id, method, message: said },
  });
}

function protocol(host: GuestHost, text: string): KeelsonError {
  host.broken = true;
  return new KeelsonError(
    "GUEST_ERROR",
    `${host.id}: the guest ${text}, which the profile keelson does not know`,
    {
      hint: "status is 0, 1 or 2 and kind 0 to 3; its instance is discarded",
    },
  );
}
