// A process module that answers requests. It shows what the protocol asks of a child: a first event, replies by
// reply_id, nothing else on standard output.
import process from "node:process";

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const waiting = new Map();
const cancelled = new Set();
let count = 0;

const event = (event_type, payload) =>
  say({
    event_id: String(++count),
    source: "module",
    timestamp_ms: Date.now(),
    module: "echo",
    event_type,
    payload,
  });

const methods = {
  echo: ({ payload }, reply) => reply({ result: payload }),
  env: ({ payload }, reply) => reply({ result: process.env[payload] ?? null }),
  fail: (_, reply) => reply({ error: { code: "NOT_FOUND", message: "nothing here" } }),
  hang: () => {},
  cancelled: (_, reply) => reply({ result: [...cancelled] }),
  health: (_, reply) => reply({ result: { healthy: process.env.HEALTHY !== "no", message: "as told" } }),
  crash: ({ payload }) => {
    process.stderr.write("about to fail\nbecause I was told to\n");
    process.exitCode = payload;
    process.stdin.destroy();
  },
  ask: ({ payload }, reply) => {
    const request_id = `ask-${++count}`;
    waiting.set(request_id, reply);
    say({ request_id, module: payload.module, method: payload.method, payload: payload.payload });
  },
  emit: ({ payload }, reply) => {
    event(payload.type, payload.payload);
    reply({ result: null });
  },
  noise: (_, reply) => {
    process.stdout.write(Buffer.from([0x7b, 0xff, 0x0a]));
    process.stdout.write("not json\n");
    reply({ result: "still here" });
  },
};

let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (text) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const message = JSON.parse(line);
    if (message.cancel_id !== undefined) cancelled.add(message.cancel_id);
    else if (message.reply_id !== undefined) {
      const reply = waiting.get(message.reply_id);
      waiting.delete(message.reply_id);
      reply(message.error === undefined ? { result: message.result } : { error: message.error });
    } else methods[message.method](message, (answer) => say({ reply_id: message.request_id, ...answer }));
  }
});

event("ready", { pid: process.pid });
