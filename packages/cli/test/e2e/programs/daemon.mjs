// A process module that makes a daemon by double fork: a process in a session of its own whose parent is gone. Then it lives until its
// standard input ends. Arguments: "bare" clears the daemon's environment; "holds" leaves it our standard output; "stays" lets the middle live.
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
  const payload = { daemon: daemon.pid, pid: Number(process.env.MODULE_PID) };
  const event = {
    event_id: "1",
    source: "module",
    timestamp_ms: 1,
    module: "m",
    event_type: "ready",
    payload,
  };
  process.stdout.write(`${JSON.stringify(event)}\n`);
  if (options.includes("stays")) setInterval(() => undefined, 1000);
} else {
  const middle = spawn(runtime[0], [...runtime.slice(1), self, "middle", ...options], {
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, MODULE_PID: String(process.pid) },
  });
  middle.unref();
  process.stdin.resume().on("end", () => process.exit(0));
}
