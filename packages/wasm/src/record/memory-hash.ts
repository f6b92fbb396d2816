import { sha256, toHex } from "../cache/digest.ts";

/** One hash over memories: of the hashes of each, so that nothing has to be joined. */
export async function hashMemories(memories: readonly WebAssembly.Memory[]): Promise<string> {
  const hashes = new Uint8Array(32 * memories.length);
  for (const [index, { buffer }] of memories.entries()) {
    const bytes = new Uint8Array(buffer);
    // WebCrypto refuses shared memory.
    const shared = (buffer as ArrayBufferLike)[Symbol.toStringTag] === "SharedArrayBuffer";
    const own = shared ? bytes.slice() : bytes;
    hashes.set(await sha256(own), 32 * index);
  }
  return toHex(await sha256(hashes));
}

/** The memories that an instance exports, in order, each once. */
export function exportedMemories(exports: WebAssembly.Exports): readonly WebAssembly.Memory[] {
  return [...new Set(Object.values(exports).filter((one) => one instanceof WebAssembly.Memory))];
}
