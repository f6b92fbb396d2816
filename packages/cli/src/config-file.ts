import { readFile } from "node:fs/promises";
import { describeThrown, isKeelsonError, KeelsonError } from "@keelson/core";
import { parseConfig, type LoadedConfig } from "./config.ts";

/**
 * Reads and checks a configuration.
 * @param file of the type `.json`, or a JavaScript or TypeScript module
 * @throws KeelsonError `NOT_FOUND`, or `INVALID_OPTIONS` whose message names all that is wrong
 */
export async function loadConfig(file: URL): Promise<LoadedConfig> {
  const source = decodeURIComponent(file.pathname);
  return parseConfig(
    source.endsWith(".json") ? await readJson(file, source) : await importConfig(file, source),
    file,
  );
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
      hint: "give the path of a configuration: keelson run keelson.config.ts",
      cause,
    },
  );
}
