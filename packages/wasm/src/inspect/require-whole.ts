import { KeelsonError, type Bytes } from "@keelson/core";
import { MalformedBinary } from "../binary/reader.ts";
import { requireBytes, requireCoreModule } from "../binary/sniff.ts";
import { readSurface, type Surface } from "./surface.ts";

/**
 * Refuses bytes that are no core WebAssembly module from end to end, says what they look like instead, or where they break off. The
 * bodies of functions are left to the engine.
 *
 * @param origin how messages name the bytes: a path, a URL or "the given binary"
 * @returns what the module shows to the outside
 * @throws KeelsonError `INVALID_WASM`, `UNSUPPORTED_WASM` for a component, or `INVALID_OPTIONS` for what is no bytes at all
 */
export function requireWholeModule(bytes: Bytes, origin: string): Surface {
  requireBytes(bytes, origin);
  requireCoreModule(bytes, origin);
  try {
    return readSurface(bytes);
  } catch (error) {
    if (!(error instanceof MalformedBinary)) throw error;
    throw new KeelsonError("INVALID_WASM", `${origin} is not a valid WebAssembly module: ${error.message}`, {
      hint: "the file is damaged or was cut short, or uses a proposal unknown here; build or copy it again",
      details: { offset: error.offset, bytes: bytes.length },
    });
  }
}
