// A process module that answers what it is asked, and does wrong when told to. It ends with its standard input.
import process from "node:process";

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const version = process.env.VERSION ?? "1";
const event = (event_type, payload) => ({
  event_id: "1",
  source: "module",
  timestamp_ms: 1,
  module: "m",
  event_type,
  payload,
});

const methods = {
  echo: ({ payload }) => payload,
  version: () => version,
  health: () => true,
  pid: () => process.pid,
  later: ({ payload }) => new Promise((resolve) => setTimeout(resolve, payload, payload)),
  hang: () => new Promise(() => {}),
  kill: () => process.kill(process.pid, "SIGKILL"),
  exit: ({ payload }) => process.exit(payload),
  stop: () => process.kill(process.pid, "SIGSTOP"),
  garbage: () => {
    process.stdout.write("no json\n{\n[1,2\n\u0000\n{}\n[]\nnull\n");
    return "garbage";
  },
  broken: () => {
    process.stdout.write(Buffer.from([0x22, 0xc3, 0x28, 0xff, 0xfe, 0x22, 0x0a, 0xed, 0xa0, 0x80, 0x0a]));
    return "broken";
  },
  huge: () => {
    process.stdout.write(`${"x".repeat(3_000_000)}\n`);
    return "huge";
  },
  flood: () => {
    for (let count = 0; count < 2000; count++) say(event("tick", count));
    return "flood";
  },
  forge: () => {
    // Replies to what was never asked, or was answered before; cancellations and requests of no shape.
    for (const line of [
      { reply_id: "999999", result: 1 },
      { reply_id: 7 },
      { cancel_id: "x" },
      { cancel_id: {} },
      { request_id: 1 },
      { request_id: "r", method: 5 },
    ])
      say(line);
    return "forge";
  },
  cut: () => {
    process.stdout.write('{"event_id":"1","source":"mod');
    process.exit(3);
  },
};

let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", async (text) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const message = JSON.parse(line);
    if (message.request_id === undefined) continue;
    void Promise.resolve(methods[message.method]?.(message)).then((result) =>
      say({ reply_id: message.request_id, result }),
    );
  }
});
process.stdin.on("end", () => process.exit(0));

if (version.startsWith("mute")) setInterval(() => undefined, 1000);
else if (version.startsWith("dies")) process.exit(9);
else if (version.startsWith("garbles")) process.stdout.write("I am no event\n");
else say(event("ready", process.pid));
