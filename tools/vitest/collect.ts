import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects all garbage, several times: what a finaliser frees goes in the next round. */
export async function collectGarbage(): Promise<void> {
  const { Bun: bun } = globalThis as { readonly Bun?: { gc(sync: boolean): void } };
  let collect = (): void => bun?.gc(true);
  if (bun === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  for (let round = 0; round < 3; round++) {
    await new Promise(setImmediate);
    collect();
  }
}
