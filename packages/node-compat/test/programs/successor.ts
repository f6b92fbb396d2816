// A host that starts where another one died: makes two kernels and says what the first one found.
import { runtime } from "../adapter.ts";

const { createKernel } =
  runtime === "deno"
    ? await import("../../../deno/src/index.ts")
    : runtime === "bun"
      ? await import("../../../bun/src/index.ts")
      : await import("../../../node/src/index.ts");

const kernels = [await createKernel(), await createKernel()];
for (const kernel of kernels) {
  const found = kernel.events().filter(({ topic }) => topic === "kernel.reclaimed");
  console.log(JSON.stringify(found.map(({ data }) => data)));
  await kernel.shutdown();
}
