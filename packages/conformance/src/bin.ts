#!/usr/bin/env node
import process from "node:process";
import { pathToFileURL } from "node:url";
import { conformanceCommand } from "./command.ts";

const end = new AbortController();
process.once("SIGINT", () => end.abort());
// Set, not called: what was printed must reach a pipe, and a subject that leaves something running shows by not ending.
process.exitCode = await conformanceCommand(process.argv.slice(2), {
  print: (line) => void process.stdout.write(`${line}\n`),
  cwd: pathToFileURL(`${process.cwd()}/`),
  color: process.stdout.isTTY === true && !process.env["NO_COLOR"],
  signal: end.signal,
});
