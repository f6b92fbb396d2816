import { tmpdir } from "node:os";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { runConformance, type AdapterModule } from "@keelson/conformance";
import { replay, suspending, wasmModule } from "@keelson/wasm";
import { platform } from "#runtime";
import type { Command } from "../arguments.ts";
import { useColor } from "../display.ts";
import { print } from "../terminal.ts";

/** How each runtime runs a JavaScript file. */
const CHILD_ARGS: Readonly<Record<string, readonly string[]>> = {
  node: [],
  deno: ["run", "-A"],
  bun: ["run"],
};

/** `keelson conformance`: runs the checks of the promises against an adapter. */
export const conformanceCommand: Command = {
  name: "conformance",
  description: "Check an adapter against every promise of Keelson",
  args: {
    adapter: {
      type: "string",
      valueHint: "path",
      description: "A module that exports platform(); default: this runtime's adapter",
    },
    only: {
      type: "string",
      valueHint: "id",
      description: "Run this check, or all of a contract: pool. (may be given again)",
    },
    json: { type: "boolean", description: "Print the report as JSON" },
  },
  async run(args) {
    const path = args.text("adapter");
    const only = args
      .texts("only")
      .flatMap((ids) => ids.split(","))
      .filter((id) => id !== "");
    const report = await runConformance({
      adapter: path === undefined ? ownAdapter() : pathToFileURL(path),
      json: args.flag("json"),
      color: useColor(process.stdout),
      print,
      ...(only.length === 0 ? {} : { only }),
    });
    return report.counts.failed === 0 ? 0 : 1;
  },
};

function ownAdapter(): AdapterModule {
  const { name } = platform();
  return {
    name,
    // The checks make modules fail on purpose, which is nothing to log.
    platform: () => platform({ log: { level: "silent" } }),
    wasmModule,
    suspending,
    replay,
    scratch: pathToFileURL(`${tmpdir()}/`),
    child: { command: process.execPath, args: CHILD_ARGS[name] ?? [] },
  };
}
