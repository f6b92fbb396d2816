// Answers every request with its payload; nothing else is in the way of what is measured.
import process from "node:process";

const event = {
  event_id: "1",
  source: "module",
  timestamp_ms: 0,
  module: "echo",
  event_type: "ready",
  payload: null,
};
process.stdout.write(`${JSON.stringify(event)}\n`);

let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop();
  let answer = "";
  for (const line of lines) {
    const { request_id, payload } = JSON.parse(line);
    answer += `{"reply_id":"${request_id}","result":${JSON.stringify(payload)}}\n`;
  }
  if (answer !== "") process.stdout.write(answer);
});
