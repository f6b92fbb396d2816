import type { Value } from "@keelson/core";
import type { GuestHost } from "../instance/guest-host.ts";
import { encodeText, type GuestMemory } from "../instance/guest-memory.ts";
import { allocate, allocateLater } from "./allocate.ts";
import { fromJson, toJson } from "./plain-json.ts";
import {
  functionType,
  type AbiProfile,
  type Binding,
  type Guest,
  type LaterBinding,
  type LaterGuest,
} from "./profile.ts";

/**
 * The profile `oxide`, after the Rust crate oxide-k: exports `memory`, `alloc(size) → ptr`, `free(ptr, size)` and
 * `oxide_invoke(method_ptr, method_len, input_ptr, input_len) → i64`, which packs pointer and length of the answer as
 * `ptr << 32 | len`. JSON both ways; an absent payload is `null`. The host frees method, input and answer. There is no
 * error channel: a guest that fails traps, or answers JSON that says so.
 */
export const oxide: AbiProfile = {
  name: "oxide",
  matches: ({ exports }) => exports.has("oxide_invoke"),
  requires: [
    { name: "memory", kind: "memory" },
    { name: "alloc", kind: "function", type: functionType(["i32"], ["i32"]) },
    { name: "free", kind: "function", type: functionType(["i32", "i32"], []) },
    { name: "oxide_invoke", kind: "function", type: functionType(["i32", "i32", "i32", "i32"], ["i64"]) },
  ],
  imports: () => ({}),
  bind: (guest) => new OxideBinding(guest),
  bindLater: (guest) => new OxideLaterBinding(guest),
};

type Invoke = (methodPtr: number, methodLen: number, inputPtr: number, inputLen: number) => bigint;

class OxideBinding implements Binding {
  readonly #host: GuestHost;
  readonly #memory: GuestMemory;
  readonly #alloc: (size: number) => number;
  readonly #free: (pointer: number, size: number) => void;
  readonly #invoke: Invoke;

  constructor({ exports, host }: Guest) {
    this.#host = host;
    this.#memory = host.memory as GuestMemory;
    this.#alloc = exports["alloc"] as (size: number) => number;
    this.#free = exports["free"] as (pointer: number, size: number) => void;
    this.#invoke = exports["oxide_invoke"] as Invoke;
  }

  call(method: string, payload: Value): Value {
    const host = this.#host;
    const name = encodeText(method);
    const input = encodeText(toJson(payload ?? null));
    const namePointer = this.#put(name);
    const inputPointer = this.#put(input);
    host.entered = true;
    const packed = this.#invoke(namePointer, name.length, inputPointer, input.length);
    this.#free(namePointer, name.length);
    this.#free(inputPointer, input.length);
    host.entered = false;
    const pointer = Number((packed >> 32n) & 0xffffffffn);
    const length = Number(packed & 0xffffffffn);
    const what = `${host.id}: the answer of ${method}`;
    this.#memory.check(pointer, length, what);
    return fromJson(this.#take(pointer, length, what), what);
  }

  /** Reads the answer and gives it back, whatever it turns out to be. */
  #take(pointer: number, length: number, what: string): string {
    try {
      return this.#memory.text(pointer, length, what);
    } finally {
      this.#host.entered = true;
      if (length > 0) this.#free(pointer, length);
      this.#host.entered = false;
    }
  }

  #put(bytes: Uint8Array): number {
    const pointer = allocate(this.#host, this.#alloc, bytes.length, "alloc");
    this.#memory.write(pointer, bytes, "the input");
    return pointer;
  }
}

/** The same for a guest that may be suspended. */
class OxideLaterBinding implements LaterBinding {
  readonly #host: GuestHost;
  readonly #memory: GuestMemory;
  readonly #alloc: (size: number) => Promise<number>;
  readonly #free: (pointer: number, size: number) => Promise<void>;
  readonly #invoke: (...args: Parameters<Invoke>) => Promise<bigint>;

  constructor({ exports, host, later }: LaterGuest) {
    this.#host = host;
    this.#memory = host.memory as GuestMemory;
    this.#alloc = later(exports["alloc"] as (size: number) => number);
    this.#free = later(exports["free"] as (pointer: number, size: number) => void);
    this.#invoke = later(exports["oxide_invoke"] as Invoke);
  }

  async call(method: string, payload: Value): Promise<Value> {
    const host = this.#host;
    const name = encodeText(method);
    const input = encodeText(toJson(payload ?? null));
    const namePointer = await this.#put(name);
    const inputPointer = await this.#put(input);
    host.entered = true;
    const packed = await this.#invoke(namePointer, name.length, inputPointer, input.length);
    await this.#free(namePointer, name.length);
    await this.#free(inputPointer, input.length);
    host.entered = false;
    const pointer = Number((packed >> 32n) & 0xffffffffn);
    const length = Number(packed & 0xffffffffn);
    const what = `${host.id}: the answer of ${method}`;
    this.#memory.check(pointer, length, what);
    return fromJson(await this.#take(pointer, length, what), what);
  }

  async #take(pointer: number, length: number, what: string): Promise<string> {
    try {
      return this.#memory.text(pointer, length, what);
    } finally {
      this.#host.entered = true;
      if (length > 0) await this.#free(pointer, length);
      this.#host.entered = false;
    }
  }

  async #put(bytes: Uint8Array): Promise<number> {
    const pointer = await allocateLater(this.#host, this.#alloc, bytes.length, "alloc");
    this.#memory.write(pointer, bytes, "the input");
    return pointer;
  }
}
