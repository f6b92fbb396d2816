import { KeelsonError } from "@keelson/core/plain";
import type { GuestHost } from "../instance/guest-host.ts";
import type { GuestMemory } from "../instance/guest-memory.ts";

/** Sizes cross as i32; a larger one would arrive as a small one. */
const MAX_SIZE = 0x7fff_ffff;

/**
 * Asks the guest's own allocator for a buffer, and believes nothing of its answer.
 *
 * @param name the export's name, for messages
 * @throws KeelsonError `OUT_OF_MEMORY` for 0, `OUT_OF_BOUNDS` for a buffer outside memory, `INVALID_PAYLOAD` for 2 GiB or more
 */
export function allocate(
  host: GuestHost,
  alloc: (size: number) => number,
  size: number,
  name: string,
): number {
  requireSize(host, size);
  host.entered = true;
  const pointer = alloc(size) >>> 0;
  host.entered = false;
  return allocated(host, pointer, size, name);
}

/** The same with an allocator that answers by promise. */
export async function allocateLater(
  host: GuestHost,
  alloc: (size: number) => Promise<number>,
  size: number,
  name: string,
): Promise<number> {
  requireSize(host, size);
  host.entered = true;
  const pointer = (await alloc(size)) >>> 0;
  host.entered = false;
  return allocated(host, pointer, size, name);
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

function allocated(host: GuestHost, pointer: number, size: number, name: string): number {
  const memory = host.memory as GuestMemory;
  if (pointer === 0) {
    host.broken = true;
    throw new KeelsonError("OUT_OF_MEMORY", `${host.id}: ${name}(${size}) found no room`, {
      hint: "raise limits.memory or send less; the instance is discarded",
      details: { size, memoryBytes: memory.size },
    });
  }
  return memory.check(pointer, size, `what ${name}(${size}) answered`);
}
