// Makes a daemon by double fork: a process in a session of its own whose parent is gone.
// Arguments: "bare" clears the daemon's environment; "holds" leaves it our standard output; "stays" lets the middle live.
import { spawn } from "node:child_process";
import process from "node:process";

const [, self, ...options] = process.argv;
const runtime = "Deno" in globalThis ? [process.execPath, "run", "-A"] : [process.execPath];

if (options.includes("middle")) {
  const daemon = spawn("sleep", ["1000"], {
    detached: true,
    stdio: ["ignore", options.includes("holds") ? "inherit" : "ignore", "ignore"],
    ...(options.includes("bare") ? { env: {} } : {}),
  });
  daemon.unref();
  process.stdout.write(`daemon ${daemon.pid}\n`);
  if (options.includes("stays")) setInterval(() => undefined, 1000);
} else {
  const middle = spawn(runtime[0], [...runtime.slice(1), self, "middle", ...options], {
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (options.includes("stays")) setInterval(() => undefined, 1000);
  else middle.on("exit", () => process.stdin.resume().on("end", () => process.exit(0)));
}
