#!/usr/bin/env node
import process from "node:process";
import { main } from "./main.ts";
import { printError } from "./terminal.ts";

/** How long the program may take to end by itself once all is done, ms. */
const ENDING_MS = 2000;

// A reader that went away, such as `head`, is no failure.
process.stdout.on("error", (error: { readonly code?: unknown }) => {
  if (error.code !== "EPIPE") throw error;
});

const code = await main(process.argv.slice(2));
process.exitCode = code;
// Fires only if something still keeps the program alive.
setTimeout(() => {
  printError("keelson: something that a module started keeps the program alive; it is ended now");
  process.exit(code === 0 ? 1 : code);
}, ENDING_MS).unref();
