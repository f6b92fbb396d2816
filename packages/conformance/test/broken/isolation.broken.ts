import { KeelsonError, type Platform } from "@keelson/core";
import { breakKernel, breakPlatform, breakWasm, overlay, type Breaking } from "./breaking.ts";
import { brokenHostFunctions, brokenWasm } from "./guests.broken.ts";
import { brokenSuspensions } from "./suspension.broken.ts";

const levels = ["worker", "process"] as const;

/** What is no check of guests elsewhere. */
const inlineOnly = new Set([
  "wasm.at-once",
  "wasm.interrupt",
  "wasm.sliced",
  "wasm.async-refused",
  "measure.replay",
  "measure.replay-diverges",
]);

/** An error that says nothing. */
const anonymous = breakKernel((kernel) => ({
  invoke: (id, method, payload, options) =>
    kernel.invoke(id, method, payload, options).catch(() => {
      throw new KeelsonError("CALL_FAILED", "something went wrong");
    }),
}));

/** Runs in the host's thread whatever is asked for, and holds it until the deadline. */
const holdsTheHost = breakWasm(
  ({ isolation: _, ...options }) => options,
  (definition) => definition,
);

/** Nobody hears the caller. */
const deaf = breakKernel((kernel) => ({
  invoke: (id, method, payload, { signal: _, ...options } = {}) =>
    kernel.invoke(id, method, payload, options),
}));

/** What was started seems to live for ever. */
const immortal = breakPlatform(({ workers, processes }: Platform) => ({
  ...(workers && {
    workers: {
      start: (...args) => overlay(workers.start(...args), { exited: new Promise<never>(() => {}) }),
    },
  }),
  ...(processes?.fork && {
    processes: {
      spawn: (...args) => processes.spawn(...args),
      reclaim: () => processes.reclaim(),
      fork: async (...args) =>
        overlay(await (processes.fork as NonNullable<typeof processes.fork>)(...args), {
          exited: new Promise<never>(() => {}),
        }),
    },
  }),
}));

/** What breaks a guest in the host's thread breaks one elsewhere; but errors that crossed have no cause any more. */
function brokenAt(level: (typeof levels)[number]): Readonly<Record<string, Breaking>> {
  const derived = Object.entries({ ...brokenWasm, ...brokenHostFunctions, ...brokenSuspensions })
    .filter(([id]) => !inlineOnly.has(id))
    .map(([id, breaking]) => [id.replace(/^wasm\./, `wasm.${level}.`), breaking] as const);
  return {
    ...Object.fromEntries(derived),
    [`wasm.${level}.trap-discards`]: anonymous,
    [`wasm.${level}.host-free`]: holdsTheHost,
    [`wasm.${level}.abort`]: deaf,
    [`wasm.${level}.ended`]: immortal,
  };
}

export const brokenIsolations: Readonly<Record<string, Breaking>> = {
  ...brokenAt("worker"),
  ...brokenAt("process"),
  "wasm.process.killed-alone": anonymous,
};
