import type { HostFunction } from "../../src/index.ts";
import { breakWasm, type Breaking } from "./breaking.ts";

type Host = Record<"load" | "note", HostFunction>;

export const brokenSuspensions: Readonly<Record<string, Breaking>> = {
  // the mark is lost: the guest would get a promise
  "wasm.async-suspends": (subject) => ({ ...subject, suspending: (run) => run }),
  // goes on when its host has answered, whatever became of the call
  "wasm.async-ended": (subject) => ({
    ...subject,
    wasmModule: (options) => ({
      metadata: { id: options.id, name: options.id, version: "0.0.0", kind: "wasm" },
      create: () => ({
        async call({ payload }) {
          const { load, note } = (options.imports as Record<"host", Host>).host;
          const loaded = await load(...(payload as never[]));
          note(loaded as never);
          return loaded as number;
        },
      }),
    }),
  }),
  // waits for ever for what failed
  "wasm.async-fails": (subject) => ({
    ...subject,
    suspending: (run) =>
      (subject.suspending as NonNullable<typeof subject.suspending>)((async (...args: never[]) => {
        try {
          return await run(...args);
        } catch {
          return new Promise<never>(() => {});
        }
      }) as unknown as HostFunction),
  }),
  // takes the platform for one that can
  "wasm.async-refused": (subject) => ({
    ...subject,
    createKernel: ({ platform, ...options }) =>
      subject.createKernel({
        ...options,
        platform: { ...platform, supports: { ...platform.supports, jspi: true } },
      }),
  }),
  "wasm.sliced": breakWasm(({ scheduling: _, ...options }) => options),
  "wasm.fresh": breakWasm(({ state: _, ...options }) => options),
};
