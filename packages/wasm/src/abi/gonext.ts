import type { Value } from "@keelson/core";
import { KeelsonError } from "@keelson/core/plain";
import { logFromGuest, type GuestHost } from "../instance/guest-host.ts";
import { encodeText, type GuestMemory } from "../instance/guest-memory.ts";
import { panicImport } from "./abort.ts";
import { Buffers, LaterBuffers, unpack } from "./buffers.ts";
import { fromJson, toJson } from "./plain-json.ts";
import {
  functionType,
  unknownMethod,
  type AbiProfile,
  type Binding,
  type Guest,
  type LaterBinding,
  type LaterGuest,
} from "./profile.ts";

/** The payload of a filter: its answer is the value that takes the place of `value`. */
export type FilterPayload = {
  readonly kind: "filter";
  readonly value: Value;
  readonly args?: readonly Value[];
};

/** The payload of an action: its answer is `undefined`. */
export type ActionPayload = {
  readonly kind: "action";
  readonly args?: readonly Value[];
};

const MAX_NAME_BYTES = 256;
const MAX_PAYLOAD_BYTES = 1_048_576;
const MAX_RESULT_BYTES = 1_048_576;

const STATUSES: Readonly<Record<number, string>> = {
  [-1]: "an error",
  [-2]: "out of memory",
  [-3]: "a payload it cannot read",
  [-4]: "an unknown hook",
  [-5]: "a trap",
};

/**
 * The profile `gonext`, the hook convention of GoNext plugins: exports `memory`, `gn_alloc(size) → ptr` (0: no room),
 * `gn_free(ptr, size)` and `gn_handle_hook(name_ptr, name_len, payload_ptr, payload_len) → i64`. The method is the hook's
 * name; the payload a {@link FilterPayload} or {@link ActionPayload}. A filter that answers without a body leaves its value as it was.
 *
 * Sizes: name 256 bytes, payload and result 1 MiB. Inputs belong to the guest; a body is given back after it was read; nothing is
 * freed on an error. Errors: −1 and −3 `GUEST_ERROR`, −2 `OUT_OF_MEMORY`, −4 `UNKNOWN_METHOD`. Imports from `env`: `gn_panic`, `gn_log`,
 * `gn_time_ms` (milliseconds since 1970).
 */
export const gonext: AbiProfile = {
  name: "gonext",
  matches: ({ exports }) => exports.has("gn_handle_hook"),
  requires: [
    { name: "memory", kind: "memory" },
    { name: "gn_alloc", kind: "function", type: functionType(["i32"], ["i32"]) },
    { name: "gn_free", kind: "function", type: functionType(["i32", "i32"], []) },
    { name: "gn_handle_hook", kind: "function", type: functionType(["i32", "i32", "i32", "i32"], ["i64"]) },
  ],
  imports: (host) => ({
    env: {
      gn_panic: panicImport(host),
      gn_log: (level: number, pointer: number, length: number) => logFromGuest(host, level, pointer, length),
      gn_time_ms: () => BigInt(Math.trunc(host.wall())),
    },
  }),
  bind: (guest) => new GonextBinding(guest),
  bindLater: (guest) => new GonextLaterBinding(guest),
};

type HandleHook = (namePtr: number, nameLen: number, payloadPtr: number, payloadLen: number) => bigint;

class GonextBinding implements Binding {
  readonly #host: GuestHost;
  readonly #buffers: Buffers;
  readonly #handle: HandleHook;

  constructor(guest: Guest) {
    this.#host = guest.host;
    this.#buffers = new Buffers(guest, "gn_alloc", "gn_free");
    this.#handle = guest.exports["gn_handle_hook"] as HandleHook;
  }

  call(method: string, payload: Value): Value {
    const host = this.#host;
    const { request, name, input } = readRequest(host.id, method, payload);
    const namePointer = this.#buffers.put(name);
    const inputPointer = this.#buffers.put(input);
    host.entered = true;
    const packed = this.#handle(namePointer, name.length, inputPointer, input.length);
    host.entered = false;
    const { pointer, length } = unpack(packed);
    if (pointer === 0) return withoutBody(host, method, request, length);
    const what = checkBody(host, method, pointer, length);
    return bodyOf(request, this.#buffers.take(pointer, length, what), what);
  }
}

/** The same for a guest that may be suspended. */
class GonextLaterBinding implements LaterBinding {
  readonly #host: GuestHost;
  readonly #buffers: LaterBuffers;
  readonly #handle: (...args: Parameters<HandleHook>) => Promise<bigint>;

  constructor(guest: LaterGuest) {
    this.#host = guest.host;
    this.#buffers = new LaterBuffers(guest, "gn_alloc", "gn_free");
    this.#handle = guest.later(guest.exports["gn_handle_hook"] as HandleHook);
  }

  async call(method: string, payload: Value): Promise<Value> {
    const host = this.#host;
    const { request, name, input } = readRequest(host.id, method, payload);
    const namePointer = await this.#buffers.put(name);
    const inputPointer = await this.#buffers.put(input);
    host.entered = true;
    const packed = await this.#handle(namePointer, name.length, inputPointer, input.length);
    host.entered = false;
    const { pointer, length } = unpack(packed);
    if (pointer === 0) return withoutBody(host, method, request, length);
    const what = checkBody(host, method, pointer, length);
    return bodyOf(request, await this.#buffers.take(pointer, length, what), what);
  }
}

type Request = FilterPayload | ActionPayload;

function readRequest(
  id: string,
  method: string,
  payload: Value,
): { readonly request: Request; readonly name: Uint8Array; readonly input: Uint8Array } {
  const request = parsePayload(payload, id, method);
  const name = sized(encodeText(method), MAX_NAME_BYTES, `${id}: the hook's name`);
  const input = sized(encodeText(toJson(request)), MAX_PAYLOAD_BYTES, `${id}: the payload of ${method}`);
  return { request, name, input };
}

/** What an answer without a body means; `length` holds a status. */
function withoutBody(host: GuestHost, method: string, request: Request, length: number): Value {
  if (length !== 0) throw failure(host, method, length | 0);
  return request.kind === "filter" ? request.value : undefined;
}

/** Believes nothing of where a body is said to lie; answers what to call it in messages. */
function checkBody(host: GuestHost, method: string, pointer: number, length: number): string {
  const what = `${host.id}: the answer of ${method}`;
  if (length > MAX_RESULT_BYTES) {
    // Not freed, as nothing is on an error: so the instance must go.
    host.broken = true;
    throw tooLarge(what, length, MAX_RESULT_BYTES);
  }
  (host.memory as GuestMemory).check(pointer, length, what);
  return what;
}

function bodyOf(request: Request, text: string, what: string): Value {
  if (request.kind === "action") return undefined;
  const answer = fromJson(text, what);
  if (typeof answer === "object" && answer !== null && Object.hasOwn(answer, "value")) {
    return (answer as { readonly value: Value }).value;
  }
  throw new KeelsonError("INVALID_PAYLOAD", `${what} has no "value"`, {
    hint: 'a filter answers {"value": …}, or nothing to leave the value as it is',
  });
}

function failure(host: GuestHost, method: string, status: number): KeelsonError {
  if (status === -4) return unknownMethod(host.id, method, []);
  const details = { module: host.id, method, status };
  const text = `${host.id}: ${method} answered ${STATUSES[status] ?? "a status that is not defined"} (${status})`;
  const goesOn = status === -1 || status === -3;
  if (!goesOn) host.broken = true;
  return new KeelsonError(status === -2 ? "OUT_OF_MEMORY" : "GUEST_ERROR", text, {
    hint: goesOn
      ? "the convention has no room for a reason; see the plugin's log"
      : "the instance is discarded",
    details,
  });
}

function parsePayload(payload: Value, module: string, method: string): FilterPayload | ActionPayload {
  const {
    kind,
    value,
    args = [],
  } = (typeof payload === "object" && payload !== null ? payload : {}) as Record<string, Value>;
  if (Array.isArray(args)) {
    // A filter's value is always on the wire: an absent one is null.
    if (kind === "filter") return { kind, value: value === undefined ? null : value, args };
    if (kind === "action") return { kind, args };
  }
  throw new KeelsonError(
    "INVALID_PAYLOAD",
    `${module}: the payload of the hook ${method} says neither filter nor action`,
    {
      hint: 'pass { kind: "filter", value, args: [] } or { kind: "action", args: [] }',
    },
  );
}

function sized(bytes: Uint8Array, max: number, what: string): Uint8Array {
  if (bytes.length > max) throw tooLarge(what, bytes.length, max);
  return bytes;
}

function tooLarge(what: string, bytes: number, max: number): KeelsonError {
  return new KeelsonError("INVALID_PAYLOAD", `${what} has ${bytes} bytes; at most ${max} are allowed`, {
    hint: "the gonext convention sets this limit; split the work or use another profile",
    details: { bytes, max },
  });
}
