import type { Value } from "@keelson/core";
import type { GuestHost } from "../instance/guest-host.ts";
import { encodeText, type GuestMemory } from "../instance/guest-memory.ts";
import { LaterBuffers } from "./buffers.ts";
import {
  type InputKind,
  type InternedName,
  MAX_INTERNED,
  MAX_KEPT_INPUT,
  inputSize,
  Kind,
  readAnswer,
  readNames,
  UNKNOWN,
} from "./keelson-answer.ts";
import { toJson } from "./plain-json.ts";
import { unknownMethod, type LaterBinding, type LaterGuest } from "./profile.ts";

/** The profile `keelson` for a guest that may be suspended. */
export class KeelsonLaterBinding implements LaterBinding {
  readonly #host: GuestHost;
  readonly #memory: GuestMemory;
  readonly #buffers: LaterBuffers;
  readonly #call: (...args: number[]) => Promise<number>;
  readonly #methods: (() => Promise<number>) | undefined;
  readonly #names = new Map<string, InternedName>();
  #input = 0;
  #inputSize = 0;

  constructor(guest: LaterGuest) {
    const { exports, host, later } = guest;
    this.#host = host;
    this.#memory = host.memory as GuestMemory;
    this.#buffers = new LaterBuffers(guest, "keelson_alloc", "keelson_free");
    this.#call = later(exports["keelson_call"] as (...args: number[]) => number);
    const methods = exports["keelson_methods"];
    this.#methods = typeof methods === "function" ? later(methods as () => number) : undefined;
  }

  async call(method: string, payload: Value): Promise<Value> {
    const [kind, bytes] = encode(payload);
    if (bytes.length > this.#inputSize) await this.#growInput(bytes.length);
    if (bytes.length > 0) this.#memory.write(this.#input, bytes, "the input buffer");
    const name = this.#names.get(method) ?? (await this.#intern(method));
    const host = this.#host;
    host.entered = true;
    const record = await this.#call(name.pointer, name.length, kind, this.#input, bytes.length);
    host.entered = false;
    const value = readAnswer(host, this.#memory, record, method);
    if (value === UNKNOWN) throw unknownMethod(host.id, method, await this.#listMethods());
    if (this.#inputSize > MAX_KEPT_INPUT) await this.#dropInput();
    return value;
  }

  async #listMethods(): Promise<readonly string[]> {
    if (this.#methods === undefined) return [];
    this.#host.entered = true;
    const record = await this.#methods();
    this.#host.entered = false;
    return readNames(this.#host, this.#memory, record);
  }

  async #intern(method: string): Promise<InternedName> {
    const bytes = encodeText(method);
    if (this.#names.size >= MAX_INTERNED) {
      for (const { pointer, length } of this.#names.values())
        await this.#buffers.free(pointer, Math.max(1, length));
      this.#names.clear();
    }
    const size = Math.max(1, bytes.length);
    const pointer = await this.#buffers.allocate(size);
    const name = { pointer, length: bytes.length };
    this.#memory.write(pointer, bytes, "a method name");
    this.#names.set(method, name);
    return name;
  }

  async #growInput(size: number): Promise<void> {
    if (this.#inputSize > 0) await this.#dropInput();
    const rounded = inputSize(size);
    this.#input = await this.#buffers.allocate(rounded);
    this.#inputSize = rounded;
  }

  async #dropInput(): Promise<void> {
    await this.#buffers.free(this.#input, this.#inputSize);
    this.#input = 0;
    this.#inputSize = 0;
  }
}

const NOTHING = new Uint8Array(0);

function encode(payload: Value): readonly [kind: InputKind, bytes: Uint8Array] {
  if (payload instanceof Uint8Array) return [Kind.bytes, payload];
  if (typeof payload === "string") return [Kind.text, encodeText(payload)];
  if (payload === undefined) return [Kind.none, NOTHING];
  return [Kind.json, encodeText(toJson(payload))];
}
