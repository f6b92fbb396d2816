import {
  wasmModule,
  type ErrorCode,
  type Kernel,
  type ModuleDefinition,
  type WasmModuleOptions,
} from "keelson";
import { builtPlugins } from "../build.ts";

/** Names of the plugins that never end by themselves, which are also their ids. */
export const runawayNames = ["endless", "stubborn", "hungry", "deep"] as const;

export type RunawayName = (typeof runawayNames)[number];

/** A plugin that never ends by itself, and what must become of it. */
export interface Runaway {
  readonly title: string;
  readonly story: string;
  /** The code it is stopped with. */
  readonly code: ErrorCode;
}

/** Running time of one call, ms. */
export const RUNAWAY_CPU_MS = 50;
/** Memory of one instance, bytes. */
export const RUNAWAY_MEMORY_BYTES: number = 16 * 2 ** 20;

/** What each of them does. */
export const runaways: Readonly<Record<RunawayName, Runaway>> = {
  endless: {
    title: "An endless loop was stopped",
    story:
      "The plugin endless is a loop with nothing inside, in this very thread. Metering put a counter into it: when its running time was used " +
      "up, the next pass trapped.",
    code: "DEADLINE_EXCEEDED",
  },
  stubborn: {
    title: "A loop that catches everything was stopped",
    story:
      "The plugin stubborn catches whatever is thrown and tries again. It was not stopped by an exception but by a trap, which no " +
      "catch_all sees.",
    code: "DEADLINE_EXCEEDED",
  },
  hungry: {
    title: "A memory bomb was capped, then stopped",
    story:
      "The plugin hungry takes eight mebibytes and then one after the other. At its cap it is refused and asks on, until its running time is " +
      "used up.",
    code: "DEADLINE_EXCEEDED",
  },
  deep: {
    title: "An endless recursion was stopped",
    story:
      "The plugin deep calls itself. Each call is charged by what its frame takes; at 512 KiB the next one trapped, long before the " +
      "engine's own stack was full.",
    code: "STACK_EXHAUSTED",
  },
};

/** Id of the plugin endless once more, whose calls share the thread in slices of time. */
export const SHARING = "sharing";

/** Runaways that are let loose at once and take turns. */
export const TURNS = 32;

/** Whether guests can share the thread here; needs JavaScript Promise Integration. */
export function canShare({ platform }: Kernel): boolean {
  return platform.supports["jspi"] === true;
}

/** Registers and starts them all: metered, each with 50 ms a call and 16 MiB. */
export async function loadRunaways(kernel: Kernel): Promise<void> {
  const shared = canShare(kernel) ? [sharing()] : [];
  const definitions = [...runawayNames.map(exclusive), ...shared];
  await Promise.all(definitions.map((definition) => kernel.register(definition)));
  await kernel.start(...definitions.map(({ metadata }) => metadata.id));
}

function exclusive(name: RunawayName): ModuleDefinition {
  return runaway(name, name, { description: runaways[name].title, pool: { max: 4 } });
}

function sharing(): ModuleDefinition {
  const description = "An endless loop that shares the thread";
  return runaway(SHARING, "endless", { description, pool: { max: TURNS }, scheduling: "sliced" });
}

function runaway(id: string, file: RunawayName, options: Partial<WasmModuleOptions>): ModuleDefinition {
  return wasmModule({
    id,
    name: `Runaway: ${id}`,
    version: "1.0.0",
    source: new URL(`${file}.wasm`, builtPlugins),
    abi: "raw",
    limits: { cpuMs: RUNAWAY_CPU_MS, memory: RUNAWAY_MEMORY_BYTES },
    ...options,
  });
}
