import type { KeelsonError, KernelOptions, Usage } from "@keelson/core";
import { breakKernel, overlay, type Breaking } from "./breaking.ts";

function breakOptions(change: (options: KernelOptions) => KernelOptions): Breaking {
  return (subject) => ({ ...subject, createKernel: (options) => subject.createKernel(change(options)) });
}

export const brokenMeasures: Readonly<Record<string, Breaking>> = {
  // tells the memory of the host's wishes
  "measure.usage": breakKernel((kernel) => ({
    async measure(id, method, payload, options) {
      const { usage, ...measured } = await kernel.measure(id, method, payload, options);
      return { ...measured, usage: usage && { ...usage, memoryPeakBytes: 65_536 } };
    },
  })),
  // knows the least alone
  "measure.trap-bounds": breakKernel((kernel) => ({
    invoke: (id, method, payload, options) =>
      kernel.invoke(id, method, payload, options).catch((error: KeelsonError) => {
        const usage = { ...(error.details?.["usage"] as Usage), fuelAtMost: undefined };
        throw overlay(error, { details: { ...error.details, usage } });
      }),
  })),
  // records whatever instance is at hand
  "measure.record-fresh": breakKernel((kernel) => ({
    async measure(id, method, payload) {
      const measured = await kernel.measure(id, method, payload);
      return { ...measured, record: { version: 1, kind: "wasm" } };
    },
  })),
  // believes what the guest says
  "measure.own-words": breakKernel((kernel) => ({
    measure: (id, method, payload, options) =>
      kernel.measure(id, method, payload, options).catch((error: KeelsonError) => {
        const usage: Usage = { fuel: 0, cpuMs: 0, memoryPeakBytes: 0 };
        throw overlay(error, { details: { ...error.details, usage } });
      }),
  })),
  // the engine has done it before anybody pays
  "measure.first-call": breakKernel((kernel) => ({
    async measure(id, method, payload, options) {
      await kernel.invoke(id, method, payload);
      return kernel.measure(id, method, payload, options);
    },
  })),
  "quarantine.refuses": breakOptions((options) => ({ ...options, quarantine: false })),
  // the time never grows
  "quarantine.one-trial": breakOptions((options) => ({
    ...options,
    quarantine: { initialMs: 50, maxMs: 50 },
  })),
  // a refusal is a failure like any other
  "quarantine.hooks": breakKernel((kernel) => ({
    invoke: (id, method, payload, options) =>
      kernel.invoke(id, method, payload, options).catch((error: KeelsonError) => {
        throw error.code === "MODULE_QUARANTINED" ? new Error(error.message) : error;
      }),
  })),
};
