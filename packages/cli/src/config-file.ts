import { readFile, stat } from "node:fs/promises";
import { describeThrown, isKeelsonError, KeelsonError } from "@keelson/core";
import { parseConfig, type LoadedConfig } from "./config.ts";

const HINT =
  "give the path of a configuration, or of a plugin: keelson run keelson.config.ts, keelson run ./my-plugin";

/**
 * Reads and checks a configuration. A plugin, which is a folder, a manifest or a `.wasm` file, stands for one that names it alone.
 * @param file a configuration of the type `.json`, or a JavaScript or TypeScript module, or a plugin
 * @throws KeelsonError `NOT_FOUND`, or `INVALID_OPTIONS` whose message names all that is wrong
 */
export async function loadConfig(file: URL): Promise<LoadedConfig> {
  const source = decodeURIComponent(file.pathname);
  if (source.endsWith(".wasm") || (await isFolder(file))) return justPlugin(file);
  if (!source.endsWith(".json")) return parseConfig(await importConfig(file, source), file);
  const json = await readJson(file, source);
  return isManifest(json) ? justPlugin(file) : parseConfig(json, file);
}

function justPlugin(url: URL): LoadedConfig {
  return { kernel: {}, plugins: [{ url }] };
}

function isFolder(file: URL): Promise<boolean> {
  return stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function isManifest(json: unknown): boolean {
  return typeof json === "object" && json !== null && "apiVersion" in json;
}

async function readJson(file: URL, source: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw unreadable(source, cause);
  }
  try {
    return JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (cause) {
    throw new KeelsonError("INVALID_OPTIONS", `${source} is not JSON: ${describeThrown(cause)}`, {
      hint: "comments and trailing commas are not allowed; a .ts configuration may have both",
      cause,
    });
  }
}

async function importConfig(file: URL, source: string): Promise<unknown> {
  try {
    await readFile(file);
  } catch (cause) {
    throw unreadable(source, cause);
  }
  let exported: { readonly default?: unknown };
  try {
    exported = (await import(file.href)) as { readonly default?: unknown };
  } catch (cause) {
    if (isKeelsonError(cause)) throw cause;
    throw new KeelsonError("INVALID_OPTIONS", `${source} could not be imported: ${describeThrown(cause)}`, {
      hint: "a configuration is a JavaScript or TypeScript module that this runtime can run, or a .json file",
      cause,
    });
  }
  if (exported.default === undefined) {
    throw new KeelsonError("INVALID_OPTIONS", `${source} has no default export`, {
      hint: "write export default defineConfig({ plugins: [...] })",
    });
  }
  return exported.default;
}

function unreadable(source: string, cause: unknown): KeelsonError {
  const missing = (cause as { readonly code?: unknown }).code === "ENOENT";
  return new KeelsonError(
    missing ? "NOT_FOUND" : "IO",
    missing ? `There is no ${source}` : `${source} could not be read: ${describeThrown(cause)}`,
    {
      hint: HINT,
      cause,
    },
  );
}
