import type { Task } from "./measure.ts";

type Run = (rounds: number) => Promise<readonly Task[]>;

interface Group {
  /** Loads the group's code, which brings its peers with it: no other group has them in its heap. */
  readonly load: () => Promise<Run>;
  /** The part of the rounds that a group of long turns gets. */
  readonly share: number;
}

/** What can be measured, in the order of the tables. */
export const groups: Readonly<Record<string, Group>> = {
  pool: { load: async () => (await import("./pool.ts")).benchPool, share: 1 },
  invoke: { load: async () => (await import("./invoke.ts")).benchInvoke, share: 1 },
  wasm: { load: async () => (await import("./wasm.ts")).benchWasm, share: 1 },
  metering: { load: async () => (await import("./metering.ts")).benchMetering, share: 1 },
  governed: { load: async () => (await import("./governed.ts")).benchGoverned, share: 1 },
  overshoot: { load: async () => (await import("./overshoot.ts")).benchOvershoot, share: 0.5 },
  isolation: { load: async () => (await import("./isolation.ts")).benchIsolation, share: 0.5 },
  runaways: { load: async () => (await import("./runaways.ts")).benchRunaways, share: 1 },
  bus: { load: async () => (await import("./bus.ts")).benchBus, share: 1 },
  boundary: { load: async () => (await import("./boundary.ts")).benchBoundary, share: 1 },
  modules: { load: async () => (await import("./modules.ts")).benchModules, share: 0.5 },
};
