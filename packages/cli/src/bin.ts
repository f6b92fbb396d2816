#!/usr/bin/env node
import process from "node:process";
import { useFastMemories } from "./fast-memories.ts";
import { tooOld } from "./too-old.ts";

// Not from terminal.ts, which imports the kernel.
const tell = (line: string): void => void process.stderr.write(`${line}\n`);

/** How long the program may take to end by itself once all is done, ms. */
const ENDING_MS = 2000;

// A reader that went away, such as `head` or a collector of logs, is no failure: what is run goes on.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: { readonly code?: unknown }) => {
    if (error.code !== "EPIPE") throw error;
  });
}

// What is imported below is written in a JavaScript that an older runtime cannot even read.
const old = tooOld(process.versions);
if (old !== undefined) {
  tell(`keelson: ${old}`);
  process.exit(1);
}

// The other commands have few instances, if any.
if (process.argv[2] === "run") useFastMemories();

// Without permissions Deno refuses what even the parts read while they are loaded, and with it the way to tell of it.
const code = await import("./main.ts")
  .then(({ main }) => main(process.argv.slice(2)))
  .catch((error: { readonly name?: unknown }) => {
    if (error.name !== "NotCapable") throw error;
    tell(
      "keelson: this program needs permissions to run\n  hint: deno run -A npm:keelson; narrower ones are for hosts of your own",
    );
    return 1;
  });
process.exitCode = code;
// Fires only if something still keeps the program alive.
setTimeout(() => {
  tell("keelson: something that a module started keeps the program alive; it is ended now");
  process.exit(code === 0 ? 1 : code);
}, ENDING_MS).unref();
