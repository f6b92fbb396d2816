import type { Value } from "@keelson/core";
import { logFromGuest, type GuestHost } from "../instance/guest-host.ts";
import { encodeText, type GuestMemory } from "../instance/guest-memory.ts";
import { abortImport, panicImport } from "./abort.ts";
import { Buffers } from "./buffers.ts";
import {
  inputSize,
  type InternedName,
  Kind,
  MAX_INTERNED,
  MAX_KEPT_INPUT,
  readAnswer,
  readNames,
  UNKNOWN,
} from "./keelson-answer.ts";
import { KeelsonLaterBinding } from "./keelson-later.ts";
import { toJson } from "./plain-json.ts";
import { functionType, unknownMethod, type AbiProfile, type Binding, type Guest } from "./profile.ts";

type Call = (
  methodPtr: number,
  methodLen: number,
  kind: number,
  payloadPtr: number,
  payloadLen: number,
) => number;

/** Text longer than this is encoded first, so that the guest is asked for what it takes and not for three times its length. */
const MAX_GUESSED_TEXT = 16_384;

/**
 * The profile `keelson`: bytes stay bytes, text stays text, other plain data is JSON. A guest exports
 *
 * - `memory`
 * - `keelson_alloc(size: i32) → i32`: a buffer for the host, 0 when there is no room
 * - `keelson_free(ptr: i32, size: i32)`: gives such a buffer back
 * - `keelson_call(method_ptr, method_len, kind, payload_ptr, payload_len: i32) → i32`: answers one call; the result points to
 *   a record of four little-endian u32: `status`, `kind`, `ptr`, `len`
 * - `keelson_methods() → i32`, optional: such a record with a JSON array of method names, for better messages
 *
 * `kind`, of payload and answer: 0 nothing (`undefined`), 1 bytes, 2 JSON, 3 text; JSON and text are UTF-8. `status`: 0 the
 * answer; 1 the guest's own error, as text or as JSON `{"message", "code"?, …}` (the caller gets `GUEST_ERROR`); 2 the
 * method is not known (`UNKNOWN_METHOD`).
 *
 * Method and payload belong to the host: the guest reads them during the call only. The record and what it points to
 * belong to the guest and must stay as they are until the next call of any export; the host copies them at once. Method
 * names are UTF-8, and the same name comes at the same place again, up to 256 of them.
 *
 * Imports, all optional, from `keelson`: `log(level, ptr, len: i32)` with levels 0 debug to 3 error; `panic(ptr, len: i32)`, which ends
 * the call as a trap that carries the text. `env.abort` works as AssemblyScript expects.
 */
export const keelson: AbiProfile = {
  name: "keelson",
  matches: ({ exports }) => exports.has("keelson_call"),
  requires: [
    { name: "memory", kind: "memory" },
    { name: "keelson_alloc", kind: "function", type: functionType(["i32"], ["i32"]) },
    { name: "keelson_free", kind: "function", type: functionType(["i32", "i32"], []) },
    {
      name: "keelson_call",
      kind: "function",
      type: functionType(["i32", "i32", "i32", "i32", "i32"], ["i32"]),
    },
  ],
  imports: (host) => ({
    keelson: {
      log: (level: number, pointer: number, length: number) => logFromGuest(host, level, pointer, length),
      panic: panicImport(host),
    },
    env: { abort: abortImport(host) },
  }),
  bind: (guest) => new KeelsonBinding(guest),
  bindLater: (guest) => new KeelsonLaterBinding(guest),
};

class KeelsonBinding implements Binding {
  readonly #host: GuestHost;
  readonly #memory: GuestMemory;
  readonly #buffers: Buffers;
  readonly #call: Call;
  readonly #methods: (() => number) | undefined;
  readonly #names = new Map<string, InternedName>();
  /** The method called last, and its name: most callers stay with one. */
  #method: string | undefined;
  #name: InternedName | undefined;
  #input = 0;
  #inputSize = 0;

  constructor(guest: Guest) {
    const { exports, host } = guest;
    this.#host = host;
    this.#memory = host.memory as GuestMemory;
    this.#buffers = new Buffers(guest, "keelson_alloc", "keelson_free");
    this.#call = exports["keelson_call"] as Call;
    const methods = exports["keelson_methods"];
    this.#methods = typeof methods === "function" ? (methods as () => number) : undefined;
  }

  call(method: string, payload: Value): Value {
    let kind: number = Kind.none;
    let length = 0;
    if (payload instanceof Uint8Array) {
      kind = Kind.bytes;
      length = this.#putBytes(payload);
    } else if (typeof payload === "string") {
      kind = Kind.text;
      length = this.#putText(payload);
    } else if (payload !== undefined) {
      kind = Kind.json;
      length = this.#putText(toJson(payload));
    }
    const name = (method === this.#method ? this.#name : undefined) ?? this.#find(method);
    const host = this.#host;
    host.entered = true;
    const record = this.#call(name.pointer, name.length, kind, this.#input, length);
    host.entered = false;
    const value = readAnswer(host, this.#memory, record, method);
    if (value === UNKNOWN) throw unknownMethod(host.id, method, this.#listMethods());
    if (this.#inputSize > MAX_KEPT_INPUT) this.#dropInput();
    return value;
  }

  #listMethods(): readonly string[] {
    if (this.#methods === undefined) return [];
    this.#host.entered = true;
    const record = this.#methods();
    this.#host.entered = false;
    return readNames(this.#host, this.#memory, record);
  }

  #putBytes(bytes: Uint8Array): number {
    if (bytes.length > this.#inputSize) this.#growInput(bytes.length);
    if (bytes.length > 0) this.#memory.write(this.#input, bytes, "the input buffer");
    return bytes.length;
  }

  #putText(text: string): number {
    const most = text.length * 3;
    if (most <= this.#inputSize || text.length <= MAX_GUESSED_TEXT) {
      if (most > this.#inputSize) this.#growInput(most);
      return this.#memory.writeText(this.#input, most, text, "the input buffer");
    }
    return this.#putBytes(encodeText(text));
  }

  #find(method: string): InternedName {
    const name = this.#names.get(method) ?? this.#intern(method);
    this.#method = method;
    this.#name = name;
    return name;
  }

  #intern(method: string): InternedName {
    const bytes = encodeText(method);
    if (this.#names.size >= MAX_INTERNED) this.#forgetNames();
    const name = {
      pointer: this.#buffers.allocate(Math.max(1, bytes.length)),
      length: bytes.length,
    };
    this.#memory.write(name.pointer, bytes, "a method name");
    this.#names.set(method, name);
    return name;
  }

  #forgetNames(): void {
    for (const { pointer, length } of this.#names.values()) this.#buffers.free(pointer, Math.max(1, length));
    this.#names.clear();
    this.#method = undefined;
  }

  #growInput(size: number): void {
    if (this.#inputSize > 0) this.#dropInput();
    const rounded = inputSize(size);
    this.#input = this.#buffers.allocate(rounded);
    this.#inputSize = rounded;
  }

  #dropInput(): void {
    this.#buffers.free(this.#input, this.#inputSize);
    this.#input = 0;
    this.#inputSize = 0;
  }
}
