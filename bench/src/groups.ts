import { benchBoundary } from "./boundary.ts";
import { benchBus } from "./bus.ts";
import { benchInvoke } from "./invoke.ts";
import { benchIsolation } from "./isolation.ts";
import { benchGoverned } from "./governed.ts";
import type { Task } from "./measure.ts";
import { benchMetering } from "./metering.ts";
import { benchModules } from "./modules.ts";
import { benchOvershoot } from "./overshoot.ts";
import { benchPool } from "./pool.ts";
import { benchRunaways } from "./runaways.ts";
import { benchWasm } from "./wasm.ts";

/** What can be measured, in the order of the tables; `share` is the part of the rounds that a group of long turns gets. */
export const groups: Readonly<
  Record<string, { run(rounds: number): Promise<readonly Task[]>; readonly share: number }>
> = {
  pool: { run: benchPool, share: 1 },
  invoke: { run: benchInvoke, share: 1 },
  wasm: { run: benchWasm, share: 1 },
  metering: { run: benchMetering, share: 1 },
  governed: { run: benchGoverned, share: 1 },
  overshoot: { run: benchOvershoot, share: 0.5 },
  isolation: { run: benchIsolation, share: 0.5 },
  runaways: { run: benchRunaways, share: 1 },
  bus: { run: benchBus, share: 1 },
  boundary: { run: benchBoundary, share: 1 },
  modules: { run: benchModules, share: 0.5 },
};
