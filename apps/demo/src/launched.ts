/**
 * Press as another runtime's child, see {@link runOn}: it ends when its launcher is gone. The launcher holds the other end of its standard
 * input and writes nothing to it, so the end of it is the launcher's own, even after a SIGKILL.
 */
import process from "node:process";
import { main } from "./main.ts";

process.stdin.on("end", () => {
  // The terminal may be gone as well.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  process.kill(process.pid, "SIGTERM");
});
process.stdin.resume();
// On Deno nothing else ends a program that reads its standard input.
process.exit(await main(process.argv.slice(2)));
