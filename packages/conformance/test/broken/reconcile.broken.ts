import type { ModuleDefinition } from "@keelson/core";
import { breakKernel, type Breaking } from "./breaking.ts";

export const brokenReconciles: Readonly<Record<string, Breaking>> = {
  // never removes
  "kernel.reconcile": breakKernel((kernel) => ({
    async reconcile(desired) {
      await kernel.start(...(desired as string[]));
      return { added: desired as string[], removed: [], kept: [], reloaded: [], errors: [] };
    },
  })),
  // registers first, asks afterwards
  "kernel.reconcile-refuses": breakKernel((kernel) => ({
    async reconcile(desired) {
      for (const item of desired)
        if (typeof item !== "string" && kernel.state(item.metadata.id) === undefined)
          await kernel.register(item);
      return kernel.reconcile(desired);
    },
  })),
  // one module after the other, as they are named
  "kernel.reconcile-fits": breakKernel((kernel) => ({
    async reconcile(desired) {
      const definitions = desired.filter((item): item is ModuleDefinition => typeof item !== "string");
      const present = definitions.filter(({ metadata }) => kernel.state(metadata.id) !== undefined);
      for (const definition of present) await kernel.reload(definition.metadata.id, definition);
      return kernel.reconcile(desired);
    },
  })),
  "kernel.reconcile-only-asked": breakKernel((kernel) => ({
    async reconcile(desired) {
      const report = await kernel.reconcile(desired);
      await kernel.start();
      return report;
    },
  })),
  "kernel.reconcile-fails-alone": breakKernel((kernel) => ({
    async reconcile(desired) {
      const report = await kernel.reconcile(desired);
      for (const { error } of report.errors) throw error;
      return report;
    },
  })),
};
