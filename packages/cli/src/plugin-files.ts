import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { KeelsonError, parseManifest, type Manifest } from "@keelson/core";
import { readWhole, type NamedFile } from "./files.ts";

/** The code that the manifest of a wasm plugin names. */
export interface PluginCode extends NamedFile {
  readonly manifest: Manifest;
  /** As the manifest writes it. */
  readonly entry: string;
}

/** What is no WebAssembly, and is named or written as JSON is. */
export function isManifest({ path, bytes }: NamedFile): boolean {
  return (
    bytes[0] !== 0 &&
    (/\.json$/i.test(path) || /^\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 64))))
  );
}

/**
 * Reads a manifest, and the code it names; a plugin of another kind than `wasm` has none to look into.
 * @throws KeelsonError `INVALID_MANIFEST`, `NOT_FOUND`, `IO`
 */
export async function readPlugin({
  path,
  bytes,
}: NamedFile): Promise<PluginCode | { readonly manifest: Manifest; readonly entry?: never }> {
  const manifest = parseManifest(bytes, { source: path });
  const { kind, entry } = manifest;
  if (kind !== "wasm" || entry === undefined) return { manifest };
  const code = await readWhole(new URL(entry, pathToFileURL(path))).catch((cause: unknown) => {
    if (cause instanceof KeelsonError) throw cause;
    throw new KeelsonError("NOT_FOUND", `${path}: its entry ${entry} cannot be read`, {
      hint: "build the plugin, or correct `entry`, which is relative to the manifest",
      cause,
    });
  });
  return { manifest, entry, path: join(dirname(path), entry), bytes: code };
}
