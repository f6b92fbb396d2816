import process from "node:process";
import { KeelsonError } from "@keelson/core";
import { meter, requireWholeModule, type MeteredModule, type MeterOptions } from "@keelson/wasm";
import type { Command } from "../arguments.ts";
import { useColor } from "../display.ts";
import { readNamed, type NamedFile } from "../files.ts";
import { METERING_ARGS, readMetering } from "../metering-options.ts";
import { isManifest, readPlugin } from "../plugin-files.ts";
import { print } from "../terminal.ts";
import { bytesText, counted, formatFacts, painter, type Paint } from "../text.ts";
import { writeWhole } from "../write-file.ts";

/** `keelson meter`: what metering makes of a module, and what it costs. */
export const meterCommand: Command = {
  name: "meter",
  description: "Meter a WebAssembly file or a plugin's: what it costs, and what was capped",
  args: {
    file: {
      type: "positional",
      description: "A .wasm file, a manifest.json, or the folder it lies in",
      valueHint: "",
    },
    out: { type: "string", alias: "o", valueHint: "file", description: "Write the metered module there" },
    ...METERING_ARGS,
    json: { type: "boolean", description: "Print the report as JSON" },
  },
  async run(args) {
    readMetering(args);
    const { path, bytes, memoryBytes } = await readModule(args.text("file") ?? "");
    const options = readMetering(args, memoryBytes);
    requireWholeModule(bytes, path);
    const from = performance.now();
    const metered = meterOrSay(bytes, options, path);
    const ms = performance.now() - from;
    const out = args.text("out");
    if (out !== undefined) await writeWhole(out, metered.bytes, path);
    const { report, meta } = metered;
    if (args.flag("json"))
      print(JSON.stringify({ file: path, ...(out === undefined ? {} : { out }), options, ms, report, meta }));
    else {
      const paint = painter(useColor(process.stdout));
      print(`${path}, metered:\n\n${formatReport(metered, options, ms, paint)}`);
      if (out !== undefined) print(`\n${usage(out, paint)}`);
    }
    return 0;
  },
};

const HINT = "give the path of a .wasm file, of a manifest.json, or of the folder it lies in";

/** The module that is named, or that a plugin's manifest names, with what that asks for. */
async function readModule(path: string): Promise<NamedFile & { readonly memoryBytes?: number | undefined }> {
  const named = await readNamed(path, "file", HINT);
  if (!isManifest(named)) return named;
  const plugin = await readPlugin(named);
  if (plugin.entry !== undefined) return { ...plugin, memoryBytes: plugin.manifest.limits.memory };
  throw new KeelsonError(
    "INVALID_OPTIONS",
    `${named.path}: a module of kind ${plugin.manifest.kind} has no WebAssembly to meter`,
  );
}

/** Names the file in what the meter throws: the command line may stand in a script. */
function meterOrSay(bytes: Uint8Array, options: MeterOptions, path: string): MeteredModule {
  try {
    return meter(bytes, options);
  } catch (error) {
    if (!(error instanceof KeelsonError)) throw error;
    const { code, hint, details, cause } = error;
    const message = error.message.split("\n")[0] ?? "";
    throw new KeelsonError(code, `${path}: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined ? {} : { details }),
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

function formatReport({ report }: MeteredModule, options: MeterOptions, ms: number, paint: Paint): string {
  const { originalBytes, meteredBytes, functions, leafFunctions, loops, hotLoops } = report;
  const growth = (meteredBytes / originalBytes).toFixed(2);
  const capped: string[] = [];
  const cap = (limit: string | undefined, lowered: number, what: string): void => {
    if (limit === undefined) capped.push(`${what}: not capped`);
    else
      capped.push(`${what}: ${limit}${lowered > 0 ? `, ${counted(lowered, "limit")} lowered or set` : ""}`);
  };
  const bytes = (value: number | undefined): string | undefined =>
    value === undefined ? undefined : bytesText(value);
  cap(bytes(options.memoryBytes), report.cappedMemories, "memory");
  cap(options.tableElements?.toString(), report.cappedTables, "elements in tables");
  cap(bytes(options.stackBytes), 0, "stack");
  return formatFacts(
    [
      ["size", [`${bytesText(originalBytes)} → ${bytesText(meteredBytes)}, ×${growth}`]],
      ["mode", [options.mode === "exact" ? "exact: fuel is counted" : "deadline: stoppable, no fuel"]],
      [
        "functions",
        [`${functions}${leafFunctions > 0 ? `, ${leafFunctions} of them paid for by their callers` : ""}`],
      ],
      ["loops", [`${loops}${loops > 0 ? `, ${hotLoops} of them without a call inside` : ""}`]],
      ["start", [report.hasStart ? "taken out: the host runs it under the limits" : "none"]],
      ["capped", capped],
      ["took", [took(originalBytes, ms)]],
    ],
    paint,
  );
}

/** A small module's time is that of code which runs for the first time: it says nothing about speed. */
function took(bytes: number, ms: number): string {
  const time = `${ms.toFixed(1)} ms`;
  return bytes < 1e6 ? time : `${time}, ${(bytes / 1000 / ms).toFixed(1)} MB/s`;
}

function usage(out: string, paint: Paint): string {
  return [
    `${paint("bold", out)} is for looking at, and for hosts without a kernel: until a governor has taken hold of an instance, it traps.`,
    "Keelson meters plugins itself when it loads them: give it the original. See docs/metering.md.",
  ].join("\n");
}
