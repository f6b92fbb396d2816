import { stat } from "node:fs/promises";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { nativeLoader, parseManifest, processLoader, suggest, type Manifest } from "@keelson/core";
import type { Command } from "../arguments.ts";
import { useColor } from "../display.ts";
import { readNamed } from "../files.ts";
import { print } from "../terminal.ts";
import { oneLine, painter } from "../text.ts";

/** `keelson check`: says what a manifest means, or all that is wrong with it. */
export const checkCommand: Command = {
  name: "check",
  description: "Check a manifest and print what it means",
  args: {
    manifest: { type: "positional", description: "A manifest.json, or the folder it lies in", valueHint: "" },
    json: { type: "boolean", description: "Print the manifest, or the error with its issues, as JSON" },
  },
  async run(args) {
    const hint = "give the path of a manifest.json, or of the folder it lies in";
    const { path: file, bytes } = await readNamed(args.text("manifest") ?? "", "manifest", hint);
    const manifest = parseManifest(bytes, { source: file });
    if (args.flag("json")) print(JSON.stringify(manifest, null, 2));
    else {
      const color = useColor(process.stdout);
      const notes = await notesOn(manifest, file);
      print([`${file} is valid.`, "", formatManifest(manifest, color)].join("\n"));
      if (notes.length > 0) print(`\n${notes.map((note) => painter(color)("yellow", note)).join("\n")}`);
    }
    return 0;
  },
};

/** The kinds that the command line loads. */
async function loadableKinds(): Promise<readonly string[]> {
  // Not imported above: that takes a third of what the command takes, and kinds of core alone do not need it.
  const { wasmLoader } = await import("@keelson/wasm");
  return [...CORE_KINDS, wasmLoader.kind];
}

const CORE_KINDS: readonly string[] = [nativeLoader.kind, processLoader.kind];

/** What a valid manifest may still lack before a host can load it. */
async function notesOn({ kind, entry }: Manifest, file: string): Promise<string[]> {
  const notes: string[] = [];
  const kinds = CORE_KINDS.includes(kind) ? CORE_KINDS : await loadableKinds();
  if (!kinds.includes(kind)) {
    const near = suggest(kind, kinds);
    const meant = near === undefined ? "" : ` Did you mean \`${near}\`?`;
    notes.push(`The kind \`${oneLine(kind)}\` needs a loader of the host's own.${meant}`);
  }
  if (entry !== undefined && !(await exists(new URL(entry, pathToFileURL(file)))))
    notes.push(`There is no ${oneLine(entry)} beside it yet: build the plugin, or correct \`entry\`.`);
  return notes;
}

function exists(file: URL): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** The manifest with its defaults filled in, a key a line. */
export function formatManifest(manifest: Manifest, color = false): string {
  const paint = painter(color);
  const lines: string[] = [];
  const add = (key: string, value: unknown): void => {
    if (typeof value !== "object" || value === null)
      return void lines.push(`${paint("cyan", key.padEnd(16))} ${text(key, value)}`);
    const entries = Array.isArray(value)
      ? value.map((item: Readonly<Record<string, unknown>>) => describe(item))
      : Object.entries(value).map(([name, item]) => `${name} ${text(name, item)}`);
    if (entries.length === 0) lines.push(`${paint("cyan", key.padEnd(16))} ${paint("dim", "none")}`);
    for (const [index, entry] of entries.entries())
      lines.push(`${paint("cyan", (index === 0 ? key : "").padEnd(16))} ${entry}`);
  };
  for (const [key, value] of Object.entries(manifest)) {
    if (key === "command")
      add(key, (value as readonly string[]).map((word) => JSON.stringify(word)).join(" "));
    else add(key, value);
  }
  return lines.join("\n");
}

/** One capability, hook or route. */
function describe(item: Readonly<Record<string, unknown>>): string {
  const { name, scope, type, method, path, handler, priority } = item;
  if (path !== undefined) return oneLine(`${String(method)} ${String(path)} → ${String(handler)}`);
  if (type !== undefined)
    return oneLine(
      `${String(type)} ${String(name)} → ${String(method ?? name)}${priority === undefined ? "" : ` (priority ${String(priority)})`}`,
    );
  return oneLine(`${String(name)}${Array.isArray(scope) && scope.length > 0 ? `: ${scope.join(", ")}` : ""}`);
}

const SIZES = new Set(["memory", "storage", "bytesPerSecond"]);

function text(key: string, value: unknown): string {
  if (typeof value === "number" && SIZES.has(key))
    return `${value} bytes${value >= 2 ** 20 && value % 2 ** 20 === 0 ? ` (${value / 2 ** 20} MiB)` : ""}`;
  return oneLine(typeof value === "object" ? JSON.stringify(value) : String(value));
}
