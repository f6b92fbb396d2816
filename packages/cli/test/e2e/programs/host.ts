// A host with three process modules, which says who they are and waits to be killed: one that reads to the end of its input, one that is deaf
// to everything, and one whose grandchild is.
import { processModule } from "@keelson/core";
import { createKernel, program } from "../host.ts";

const ready = (pid: string): string =>
  `echo '{"event_id":"1","source":"module","timestamp_ms":1,"module":"m","event_type":"ready","payload":'${pid}'}'`;
const kernel = await createKernel();
const pids: Record<string, unknown> = {};
kernel.bus.on("boundary.*.ready", ({ topic, data }) => {
  pids[topic.split(".")[1] ?? ""] = (data as { event: { payload: unknown } }).event.payload;
});
const [command = "", ...args] = program("echo.mjs");
await kernel.register(processModule({ id: "polite", command, args }));
await kernel.register(
  processModule({
    id: "deaf",
    command: "sh",
    args: ["-c", `trap '' TERM HUP; ${ready("$$")}; while :; do sleep 1000; done`],
  }),
);
await kernel.register(
  processModule({
    id: "elder",
    command: "sh",
    args: ["-c", `setsid sh -c 'trap "" TERM HUP; while :; do sleep 1000; done' & ${ready("$!")}; cat`],
  }),
);
await kernel.start();
console.log(JSON.stringify(pids));
setInterval(() => undefined, 1000);
