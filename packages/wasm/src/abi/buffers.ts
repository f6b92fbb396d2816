import { KeelsonError } from "@keelson/core/plain";
import type { GuestHost } from "../instance/guest-host.ts";
import type { GuestMemory } from "../instance/guest-memory.ts";
import type { Guest, LaterGuest } from "./profile.ts";

/** Sizes cross as i32; a larger one would arrive as a small one. */
const MAX_SIZE = 0x7fff_ffff;

type Alloc = (size: number) => number;
type Free = (pointer: number, size: number) => void;

/**
 * What an allocator's answer outside memory is: a wrong pointer, or no room, for a convention that does not say how an allocation fails.
 */
export type Outside = "OUT_OF_BOUNDS" | "OUT_OF_MEMORY";

/** The buffers that a guest's own allocator makes for the host, through two of its exports: `alloc(size) → ptr` and `free(ptr, size)`. */
export class Buffers {
  readonly #host: GuestHost;
  readonly #memory: GuestMemory;
  readonly #name: string;
  readonly #alloc: Alloc;
  readonly #free: Free;
  readonly #outside: Outside;

  constructor({ exports, host }: Guest, alloc: string, free: string, outside: Outside = "OUT_OF_BOUNDS") {
    this.#host = host;
    this.#memory = host.memory as GuestMemory;
    this.#name = alloc;
    this.#outside = outside;
    this.#alloc = exports[alloc] as Alloc;
    this.#free = exports[free] as Free;
  }

  /**
   * Asks for a buffer, and believes nothing of the answer.
   *
   * @throws KeelsonError `OUT_OF_MEMORY` for 0, {@link Outside} for a buffer outside memory, `INVALID_PAYLOAD` for 2 GiB or more
   */
  allocate(size: number): number {
    const host = this.#host;
    requireSize(host, size);
    host.entered = true;
    const pointer = this.#alloc(size) >>> 0;
    host.entered = false;
    return allocated(host, pointer, size, this.#name, this.#outside);
  }

  free(pointer: number, size: number): void {
    this.#host.entered = true;
    this.#free(pointer, size);
    this.#host.entered = false;
  }

  /** A new buffer that holds `bytes`. */
  put(bytes: Uint8Array): number {
    const pointer = this.allocate(bytes.length);
    this.#memory.write(pointer, bytes, "the input");
    return pointer;
  }

  /** Reads a text and gives its buffer back, whatever it turns out to be. */
  take(pointer: number, length: number, what: string): string {
    try {
      return this.#memory.text(pointer, length, what);
    } finally {
      this.free(pointer, length);
    }
  }
}

/** {@link Buffers} of a guest that may be suspended. */
export class LaterBuffers {
  readonly #host: GuestHost;
  readonly #memory: GuestMemory;
  readonly #name: string;
  readonly #alloc: (...args: Parameters<Alloc>) => Promise<number>;
  readonly #free: (...args: Parameters<Free>) => Promise<void>;
  readonly #outside: Outside;

  constructor(
    { exports, host, later }: LaterGuest,
    alloc: string,
    free: string,
    outside: Outside = "OUT_OF_BOUNDS",
  ) {
    this.#host = host;
    this.#outside = outside;
    this.#memory = host.memory as GuestMemory;
    this.#name = alloc;
    this.#alloc = later(exports[alloc] as Alloc);
    this.#free = later(exports[free] as Free);
  }

  async allocate(size: number): Promise<number> {
    const host = this.#host;
    requireSize(host, size);
    host.entered = true;
    const pointer = (await this.#alloc(size)) >>> 0;
    host.entered = false;
    return allocated(host, pointer, size, this.#name, this.#outside);
  }

  async free(pointer: number, size: number): Promise<void> {
    this.#host.entered = true;
    await this.#free(pointer, size);
    this.#host.entered = false;
  }

  async put(bytes: Uint8Array): Promise<number> {
    const pointer = await this.allocate(bytes.length);
    this.#memory.write(pointer, bytes, "the input");
    return pointer;
  }

  async take(pointer: number, length: number, what: string): Promise<string> {
    try {
      return this.#memory.text(pointer, length, what);
    } finally {
      await this.free(pointer, length);
    }
  }
}

/** Where an answer lies that came as `ptr << 32 | len`. */
export function unpack(packed: bigint): { readonly pointer: number; readonly length: number } {
  return { pointer: Number((packed >> 32n) & 0xffffffffn), length: Number(packed & 0xffffffffn) };
}

function requireSize(host: GuestHost, size: number): void {
  if (size > MAX_SIZE) {
    throw new KeelsonError(
      "INVALID_PAYLOAD",
      `${host.id}: ${size} bytes are more than a guest can be given`,
      {
        hint: "send it in parts",
        details: { size },
      },
    );
  }
}

function allocated(host: GuestHost, pointer: number, size: number, name: string, outside: Outside): number {
  const memory = host.memory as GuestMemory;
  if (pointer === 0 || (outside === "OUT_OF_MEMORY" && !memory.holds(pointer, size))) {
    host.broken = true;
    throw new KeelsonError("OUT_OF_MEMORY", `${host.id}: ${name}(${size}) found no room`, {
      hint: "raise limits.memory or send less; the instance is discarded",
      details: { size, memoryBytes: memory.size },
    });
  }
  return memory.check(pointer, size, `what ${name}(${size}) answered`);
}
