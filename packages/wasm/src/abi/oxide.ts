import type { Value } from "@keelson/core";
import type { GuestHost } from "../instance/guest-host.ts";
import { encodeText, type GuestMemory } from "../instance/guest-memory.ts";
import { Buffers, LaterBuffers, unpack } from "./buffers.ts";
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
 * error channel: a guest that fails traps, or answers JSON that says so. An `alloc` that answers 0 or a buffer outside memory is `OUT_OF_MEMORY`.
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
  readonly #buffers: Buffers;
  readonly #invoke: Invoke;

  constructor(guest: Guest) {
    this.#host = guest.host;
    this.#buffers = new Buffers(guest, "alloc", "free", "OUT_OF_MEMORY");
    this.#invoke = guest.exports["oxide_invoke"] as Invoke;
  }

  call(method: string, payload: Value): Value {
    const host = this.#host;
    const buffers = this.#buffers;
    const name = encodeText(method);
    const input = encodeText(toJson(payload ?? null));
    const namePointer = buffers.put(name);
    const inputPointer = buffers.put(input);
    host.entered = true;
    const packed = this.#invoke(namePointer, name.length, inputPointer, input.length);
    buffers.free(namePointer, name.length);
    buffers.free(inputPointer, input.length);
    const { pointer, length, what } = answerAt(host, method, packed);
    return fromJson(length > 0 ? buffers.take(pointer, length, what) : "", what);
  }
}

/** The same for a guest that may be suspended. */
class OxideLaterBinding implements LaterBinding {
  readonly #host: GuestHost;
  readonly #buffers: LaterBuffers;
  readonly #invoke: (...args: Parameters<Invoke>) => Promise<bigint>;

  constructor(guest: LaterGuest) {
    this.#host = guest.host;
    this.#buffers = new LaterBuffers(guest, "alloc", "free", "OUT_OF_MEMORY");
    this.#invoke = guest.later(guest.exports["oxide_invoke"] as Invoke);
  }

  async call(method: string, payload: Value): Promise<Value> {
    const host = this.#host;
    const buffers = this.#buffers;
    const name = encodeText(method);
    const input = encodeText(toJson(payload ?? null));
    const namePointer = await buffers.put(name);
    const inputPointer = await buffers.put(input);
    host.entered = true;
    const packed = await this.#invoke(namePointer, name.length, inputPointer, input.length);
    await buffers.free(namePointer, name.length);
    await buffers.free(inputPointer, input.length);
    const { pointer, length, what } = answerAt(host, method, packed);
    return fromJson(length > 0 ? await buffers.take(pointer, length, what) : "", what);
  }
}

/** Believes nothing of where an answer is said to lie; `what` is its name in messages. */
function answerAt(
  host: GuestHost,
  method: string,
  packed: bigint,
): { readonly pointer: number; readonly length: number; readonly what: string } {
  const { pointer, length } = unpack(packed);
  const what = `${host.id}: the answer of ${method}`;
  (host.memory as GuestMemory).check(pointer, length, what);
  return { pointer, length, what };
}
