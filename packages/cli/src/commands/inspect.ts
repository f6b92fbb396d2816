import { createHash } from "node:crypto";
import process from "node:process";
import { asKeelsonError, type Manifest } from "@keelson/core";
import { inspectWasm, pluginMetering, type WasmInspection } from "@keelson/wasm";
import type { Command } from "../arguments.ts";
import { useColor } from "../display.ts";
import { readNamed, type NamedFile } from "../files.ts";
import { formatInspection } from "../inspection.ts";
import { isManifest, readPlugin } from "../plugin-files.ts";
import { errorJson, print } from "../terminal.ts";
import { painter } from "../text.ts";
import { formatManifest } from "./check.ts";

const HINT = "give the path of a .wasm file, of a manifest.json, or of the folder it lies in";

/** `keelson inspect`: what a WebAssembly file or a plugin asks for and offers, without running any of it. */
export const inspectCommand: Command = {
  name: "inspect",
  description: "Show what a WebAssembly file or a plugin asks for and offers, without running it",
  args: {
    file: {
      type: "positional",
      description: "A .wasm file, a manifest.json, or the folder it lies in",
      valueHint: "",
    },
    json: { type: "boolean", description: "Print one JSON object" },
  },
  async run(args) {
    const named = await readNamed(args.text("file") ?? "", "file", HINT);
    const found = isManifest(named) ? await inspectPlugin(named) : inspectFile(named);
    if (args.flag("json")) print(JSON.stringify(toJson(found)));
    else print(format(found, useColor(process.stdout)));
    return canStart(found) ? 0 : 1;
  },
};

/** Whether nothing of what was found keeps it from starting. What a bare file lacks may be no concern of its host's. */
function canStart({ manifest, wasm, integrity }: Found): boolean {
  if (wasm === undefined) return true;
  if (wasm.refused !== undefined || integrity?.matches === false) return false;
  const lacking = wasm.profiles.some(({ chosen, missing }) => chosen && missing.length > 0);
  return manifest === undefined || (wasm.metering.possible && !lacking);
}

interface Found {
  readonly file: string;
  readonly manifest?: Manifest;
  /** The code that the manifest names, or the file itself. */
  readonly entry?: string;
  readonly wasm?: WasmInspection;
  /** What the code's bytes hash to, where the manifest names a hash. */
  readonly integrity?: { readonly actual: string; readonly matches: boolean };
}

function inspectFile({ path, bytes }: NamedFile): Found {
  return { file: path, entry: path, wasm: inspectWasm(bytes, { origin: path }) };
}

async function inspectPlugin(named: NamedFile): Promise<Found> {
  const { path } = named;
  const plugin = await readPlugin(named);
  const { manifest, entry } = plugin;
  if (entry === undefined) return { file: path, manifest };
  const { abi, limits } = manifest;
  const wasm = inspectWasm(plugin.bytes, {
    origin: entry,
    ...(abi === undefined ? {} : { abi }),
    metering: { ...pluginMetering, ...(limits.memory === undefined ? {} : { memoryBytes: limits.memory }) },
  });
  const actual = `sha256-${createHash("sha256").update(plugin.bytes).digest("base64")}`;
  const integrity = { actual, matches: actual === manifest.integrity };
  return { file: path, manifest, entry, wasm, ...(manifest.integrity === undefined ? {} : { integrity }) };
}

function format({ file, manifest, entry, wasm, integrity }: Found, color: boolean): string {
  const paint = painter(color);
  const parts: string[] = [];
  if (manifest !== undefined) {
    parts.push(`${file} is the manifest of a plugin.`, formatManifest(manifest, color));
    if (wasm === undefined) parts.push(`A module of kind ${manifest.kind} has no WebAssembly to look into.`);
  }
  if (integrity?.matches === false)
    parts.push(paint("red", `The integrity does not fit: ${entry ?? file} has ${integrity.actual}`));
  if (wasm !== undefined) parts.push(formatInspection(entry ?? file, wasm, paint));
  return parts.join("\n\n");
}

function toJson({ file, manifest, entry, wasm, integrity }: Found): unknown {
  const metering =
    wasm === undefined || wasm.metering.possible
      ? wasm?.metering
      : { possible: false, error: errorJson(asKeelsonError(wasm.metering.error, "INTERNAL", "metering")) };
  return { file, manifest, entry, integrity, ...(wasm === undefined ? {} : { wasm: { ...wasm, metering } }) };
}
