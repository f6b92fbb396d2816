// The host that comes after one that died: makes a kernel and says what it found.
import { createKernel } from "../host.ts";

await using kernel = await createKernel();
const found = kernel.events().filter(({ topic }) => topic === "kernel.reclaimed");
console.log(JSON.stringify(found.map(({ data }) => data)));
