// A host that starts two children, says who they are, and waits to be killed.
import { adapter } from "../adapter.ts";

const { processes } = await adapter();
// One that heeds end of file, one that heeds nothing.
const polite = await processes.spawn("cat", [], {});
const deaf = await processes.spawn("sh", ["-c", "trap '' TERM HUP; while :; do sleep 1000; done"], {});
console.log(`${polite.pid} ${deaf.pid}`);
setInterval(() => undefined, 1000);
