import { isKeelsonError, parseSize } from "@keelson/core";
import { pluginMetering, type MeterOptions } from "@keelson/wasm";
import type { ArgsDef } from "citty";
import { UsageError, type ParsedArguments } from "./arguments.ts";

/** Options that say how a module is metered. */
export const METERING_ARGS: ArgsDef = {
  mode: {
    type: "string",
    valueHint: "mode",
    description: "exact counts fuel, deadline only makes it stoppable; default: exact",
  },
  memory: {
    type: "string",
    valueHint: "size",
    description: 'Cap on its memories together, such as 16MiB, or "none"; default: the manifest\'s, or 64MiB',
  },
  stack: {
    type: "string",
    valueHint: "size",
    description: 'Stack of nested calls, or "none"; default: 512KiB',
  },
  tables: {
    type: "string",
    valueHint: "elements",
    description: 'Cap on the elements of its tables together, or "none"; default: 1000000',
  },
};

/**
 * What {@link METERING_ARGS} were given; what was not given is as for a plugin.
 * @param usualMemoryBytes the cap on memory that the plugin's manifest asks for
 * @throws UsageError
 */
export function readMetering(
  args: ParsedArguments,
  usualMemoryBytes: number | undefined = pluginMetering.memoryBytes,
): MeterOptions {
  const mode = args.text("mode") ?? pluginMetering.mode;
  if (mode !== "exact" && mode !== "deadline")
    throw new UsageError(`--mode is "${mode}"`, "it takes exact or deadline");
  const memoryBytes = size(args, "memory", usualMemoryBytes);
  const stackBytes = size(args, "stack", pluginMetering.stackBytes);
  const tableElements = count(args.text("tables"), pluginMetering.tableElements);
  return {
    mode,
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(stackBytes === undefined ? {} : { stackBytes }),
    ...(tableElements === undefined ? {} : { tableElements }),
  };
}

function size(args: ParsedArguments, name: string, usual: number | undefined): number | undefined {
  const text = args.text(name);
  if (text === undefined) return usual;
  if (text === "none") return undefined;
  try {
    return parseSize(text);
  } catch (error) {
    if (!isKeelsonError(error)) throw error;
    throw new UsageError(`--${name}: ${error.message.split("\n")[0]}`, error.hint);
  }
}

function count(text: string | undefined, usual: number | undefined): number | undefined {
  if (text === undefined) return usual;
  if (text === "none") return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw new UsageError(`--tables is "${text}"`, 'it takes a whole number, or "none"');
  return Number(text);
}
