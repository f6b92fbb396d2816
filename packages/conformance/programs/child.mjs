// The program that checks start as a child: what it does is said by its first argument. It uses what every runtime
// with child processes has: node:process, node:child_process, node:fs.
import { spawn } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import process from "node:process";

const [, self, scenario, ...args] = process.argv;
const stay = () => void setInterval(() => {}, 60_000);
const say = (line) => void process.stdout.write(`${line}\n`);
const never = () => {};

/** Starts this program again, in a session of its own. */
function again(words, stdio) {
  const flags = "Deno" in globalThis ? ["run", "-A"] : [];
  return spawn(process.execPath, [...flags, self, ...words], { detached: true, stdio });
}

/** A zombie does not live. */
function isAlive(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch (error) {
    if (error.code !== "ENOENT" || process.platform === "linux") return false;
  }
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const scenarios = {
  /** Gives back what it reads, to the end. */
  echo: () => void process.stdin.pipe(process.stdout),
  /** Ends with a code. */
  exit(code) {
    process.stderr.write("err\n");
    say("out");
    process.exitCode = Number(code);
  },
  /** Ends by a signal. */
  killed: () => void process.kill(process.pid, "SIGKILL"),
  env: () => say(JSON.stringify(process.env)),
  /** Writes that many bytes and ends. */
  flood: (bytes) => void process.stdout.write("x".repeat(Number(bytes))),
  /** Ends when it is asked to, with code 5. */
  kind() {
    process.on("SIGTERM", () => process.exit(5));
    process.stdin.on("end", () => process.exit(5)).resume();
    stay();
    say("ready");
  },
  /** Ends by force only; never reads. */
  deaf() {
    process.on("SIGTERM", never);
    process.on("SIGHUP", never);
    stay();
    say("ready");
  },
  /** Has a deaf child in a session of its own. */
  tree() {
    const child = again(["deaf"], ["ignore", "pipe", "ignore"]);
    child.stdout.once("data", () => say(String(child.pid)));
    stay();
  },
  /** Has a deaf descendant whose parent is gone, in a session of its own: a daemon. */
  daemon() {
    const middle = again(["middle"], ["ignore", "pipe", "ignore"]);
    let pid = "";
    middle.stdout.on("data", (chunk) => (pid += chunk));
    middle.on("close", () => say(pid.trim()));
    process.stdin.on("end", () => process.exit(0)).resume();
    stay();
  },
  middle() {
    const child = again(["deaf"], ["ignore", "pipe", "ignore"]);
    child.stdout.once("data", () => process.stdout.write(`${child.pid}\n`, () => process.exit(0)));
  },
  /** Which of these live. */
  alive: (...pids) => say(JSON.stringify(pids.map((pid) => isAlive(Number(pid))))),
  link(target, path) {
    symlinkSync(target, path);
    say("done");
  },
  module: (how = "good") => starts[how](),
};

let count = 0;
const event = (event_type, payload) =>
  say(
    JSON.stringify({
      event_id: String(++count),
      source: "module",
      timestamp_ms: Date.now(),
      module: "child",
      event_type,
      payload,
    }),
  );

/** How a module of JSON lines begins. */
const starts = {
  good() {
    listen();
    event("ready", { pid: process.pid });
  },
  silent: stay,
  empty: never,
  garbage() {
    stay();
    say("hello, I am no event");
  },
  long() {
    stay();
    process.stdout.write("x".repeat(100_000));
  },
  fails() {
    process.stderr.write("no configuration\n");
    process.exitCode = 4;
  },
  /** Comes up and never reads. */
  unread() {
    stay();
    event("ready", { pid: process.pid });
  },
};

const waiting = new Map();
const cancelled = [];
const methods = {
  echo: ({ payload }, reply) => reply({ result: payload ?? null }),
  env: ({ payload }, reply) => reply({ result: process.env[payload] ?? null }),
  fail: (_, reply) => reply({ error: { code: "NOT_FOUND", message: "nothing here" } }),
  hang: never,
  cancelled: (_, reply) => reply({ result: cancelled.length }),
  crash() {
    process.stderr.write("crashing as told\n", () => process.exit(3));
  },
  quit: () => process.exit(0),
  ask({ payload }, reply) {
    const request_id = `ask-${++count}`;
    waiting.set(request_id, reply);
    say(JSON.stringify({ request_id, ...payload }));
  },
  noise(_, reply) {
    process.stdout.write(Uint8Array.of(0x7b, 0xff, 0x0a));
    say("not JSON");
    say("y".repeat(3000));
    reply({ result: "still here" });
  },
  complain({ payload }, reply) {
    process.stderr.write(`${payload}\n`, () => reply({ result: null }));
  },
};

function listen() {
  let rest = "";
  process.stdin.setEncoding("utf8");
  process.stdin.on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) take(JSON.parse(line));
  });
}

function take(message) {
  if (message.cancel_id !== undefined) cancelled.push(message.cancel_id);
  else if (message.reply_id !== undefined) {
    const { reply_id, ...answer } = message;
    waiting.get(reply_id)(answer);
    waiting.delete(reply_id);
  } else {
    methods[message.method](message, (answer) =>
      say(JSON.stringify({ reply_id: message.request_id, ...answer })),
    );
  }
}

scenarios[scenario](...args);
