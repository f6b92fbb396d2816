import { KeelsonError, type Value } from "@keelson/core";
import { logFromGuest, type GuestHost } from "../instance/guest-host.ts";
import { encodeText, type GuestMemory } from "../instance/guest-memory.ts";
import { abortImport, panicImport } from "./abort.ts";
import { allocate } from "./allocate.ts";
import { fromJson, toJson } from "./plain-json.ts";
import { functionType, unknownMethod, type AbiProfile, type Binding, type Guest } from "./profile.ts";

/** How bytes are to be read, in both directions. */
const Kind = { none: 0, bytes: 1, json: 2, text: 3 } as const;

/** What an answer is. */
const Status = { ok: 0, error: 1, unknownMethod: 2 } as const;

type Call = (
  methodPtr: number,
  methodLen: number,
  kind: number,
  payloadPtr: number,
  payloadLen: number,
) => number;

interface InternedName {
  readonly pointer: number;
  readonly length: number;
}

/** Method names kept inside a guest; a caller that invents names for ever must not fill its memory. */
const MAX_INTERNED = 256;

/** An input buffer larger than this is given back after the call, bytes. */
const MAX_KEPT_INPUT = 1_048_576;

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
};

class KeelsonBinding implements Binding {
  readonly #host: GuestHost;
  readonly #memory: GuestMemory;
  readonly #alloc: (size: number) => number;
  readonly #free: (pointer: number, size: number) => void;
  readonly #call: Call;
  readonly #methods: (() => number) | undefined;
  readonly #names = new Map<string, InternedName>();
  #input = 0;
  #inputSize = 0;

  constructor({ exports, host }: Guest) {
    this.#host = host;
    this.#memory = host.memory as GuestMemory;
    this.#alloc = exports["keelson_alloc"] as (size: number) => number;
    this.#free = exports["keelson_free"] as (pointer: number, size: number) => void;
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
    const name = this.#names.get(method) ?? this.#intern(method);
    const host = this.#host;
    host.entered = true;
    const record = this.#call(name.pointer, name.length, kind, this.#input, length);
    host.entered = false;
    const value = this.#answer(record, method);
    if (this.#inputSize > MAX_KEPT_INPUT) this.#dropInput();
    return value;
  }

  #answer(record: number, method: string): Value {
    const memory = this.#memory;
    const from = memory.check(record, 16, "the record of an answer");
    const status = memory.word(from, "status");
    const kind = memory.word(from + 4, "kind");
    const pointer = memory.word(from + 8, "ptr");
    const length = memory.word(from + 12, "len");
    if (status === Status.ok) {
      if (kind === Kind.bytes) return memory.copy(pointer, length, "an answer");
      if (kind === Kind.none) return undefined;
      return this.#decode(kind, pointer, length, method);
    }
    if (status === Status.unknownMethod) throw unknownMethod(this.#host.id, method, this.#listMethods());
    if (status !== Status.error) throw this.#protocol(`answered ${method} with status ${status}`);
    throw this.#guestError(kind, pointer, length, method);
  }

  #decode(kind: number, pointer: number, length: number, method: string): Value {
    if (kind !== Kind.json && kind !== Kind.text)
      throw this.#protocol(`answered ${method} with kind ${kind}`);
    const text = this.#memory.text(pointer, length, `${this.#host.id}: the answer of ${method}`);
    return kind === Kind.text ? text : fromJson(text, `${this.#host.id}: the answer of ${method}`);
  }

  #guestError(kind: number, pointer: number, length: number, method: string): KeelsonError {
    const body = kind === Kind.none ? "no message" : this.#decode(kind, pointer, length, method);
    const facts =
      typeof body === "object" && body !== null && !Array.isArray(body)
        ? (body as Record<string, unknown>)
        : {};
    const said =
      typeof body === "string"
        ? body
        : typeof facts["message"] === "string"
          ? facts["message"]
          : JSON.stringify(body);
    return new KeelsonError("GUEST_ERROR", `${this.#host.id}: ${method} failed: ${said}`, {
      details: { ...facts, module: this.#host.id, method, message: said },
    });
  }

  #protocol(text: string): KeelsonError {
    this.#host.broken = true;
    return new KeelsonError(
      "GUEST_ERROR",
      `${this.#host.id}: the guest ${text}, which the profile keelson does not know`,
      {
        hint: "status is 0, 1 or 2 and kind 0 to 3; its instance is discarded",
      },
    );
  }

  #listMethods(): readonly string[] {
    if (this.#methods === undefined) return [];
    this.#host.entered = true;
    const record = this.#methods();
    this.#host.entered = false;
    // Only a plain answer is read: another status would come back here.
    const names =
      this.#memory.word(record, "status") === Status.ok ? this.#answer(record, "keelson_methods") : undefined;
    return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
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

  #intern(method: string): InternedName {
    const bytes = encodeText(method);
    if (this.#names.size >= MAX_INTERNED) this.#forgetNames();
    const name = {
      pointer: allocate(this.#host, this.#alloc, Math.max(1, bytes.length), "keelson_alloc"),
      length: bytes.length,
    };
    this.#memory.write(name.pointer, bytes, "a method name");
    this.#names.set(method, name);
    return name;
  }

  #forgetNames(): void {
    for (const { pointer, length } of this.#names.values()) this.#release(pointer, Math.max(1, length));
    this.#names.clear();
  }

  #growInput(size: number): void {
    if (this.#inputSize > 0) this.#dropInput();
    // Powers of two, so that payloads that grow little by little do not ask for a buffer each time.
    const rounded = size > MAX_KEPT_INPUT ? size : Math.max(256, 2 ** Math.ceil(Math.log2(size)));
    this.#input = allocate(this.#host, this.#alloc, rounded, "keelson_alloc");
    this.#inputSize = rounded;
  }

  #dropInput(): void {
    this.#release(this.#input, this.#inputSize);
    this.#input = 0;
    this.#inputSize = 0;
  }

  #release(pointer: number, size: number): void {
    this.#host.entered = true;
    this.#free(pointer, size);
    this.#host.entered = false;
  }
}
