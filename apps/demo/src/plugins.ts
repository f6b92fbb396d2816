import { fileURLToPath } from "node:url";
import {
  KeelsonError,
  processModule,
  wasmModule,
  type Call,
  type Health,
  type Kernel,
  type Module,
  type ModuleDefinition,
} from "keelson";
import { builtPlugins, isBuilt } from "./build.ts";
import { powerless, runScript } from "./runtime.ts";

/** Versions of the plugin reading: two good ones, and one that answers no call. */
export type ReadingVersion = "1.0.0" | "2.0.0" | "3.0.0";

/** The variable in the environment of Press's children by which the system shows whose they are. */
export const RUN_MARK = "PRESS_RUN";

const source = (path: string): URL => new URL(`plugins/${path}`, import.meta.url);

/** Builds the WebAssembly plugins unless they are there and current, in a process of its own: a compiler is a heavy guest. */
export async function ensureBuilt(): Promise<void> {
  if (await isBuilt()) return;
  await runScript(fileURLToPath(new URL("build.ts", import.meta.url)));
}

/** Loads and starts all plugins of Press: two native ones, a child process, WebAssembly by its manifest and by a definition. */
export async function loadPlugins(kernel: Kernel, mark: string): Promise<void> {
  await kernel.register(highlight(mark));
  await kernel.register(reading("1.0.0"));
  await Promise.all([
    kernel.load(source("markdown/")),
    kernel.load(source("visits/")),
    kernel.load(new URL("typography.json", builtPlugins)),
    kernel.start("highlight", "reading"),
  ]);
}

/** The child process. It is killed often here, so its supervisor is more patient than the default of 5 restarts a minute. */
function highlight(mark: string): ModuleDefinition {
  return processModule({
    id: "highlight",
    name: "Highlight",
    version: "1.0.0",
    description: "Colours code blocks",
    ...powerless(fileURLToPath(source("highlight/highlight.js"))),
    env: { [RUN_MARK]: mark },
    // A page may be larger than the default of 1 MiB.
    maxLineBytes: 8 * 2 ** 20,
    health: true,
    restart: {
      policy: "on-failure",
      intensity: { max: 200, withinMs: 60_000 },
      backoff: { initialMs: 20, factor: 1.5, maxMs: 200 },
    },
  });
}

/** One version of reading, which must answer a trial call before it takes traffic. */
export function reading(version: ReadingVersion): ModuleDefinition {
  const definition = wasmModule({
    id: "reading",
    name: "Reading",
    version,
    description: "Says how much there is to read",
    source: new URL(`reading-${version}.wasm`, builtPlugins),
    abi: "gonext",
    pool: { min: 1, max: 4 },
  });
  return { ...definition, create: async () => onTrial(await definition.create()) };
}

/** The module with a health check that makes it work: a version that starts but does not answer is not let in. */
function onTrial(module: Module): Module {
  return {
    init: (context) => module.init?.(context),
    start: (context) => module.start?.(context),
    stop: (context) => module.stop?.(context),
    call: (call) => module.call?.(call),
    async health(check: Call): Promise<Health> {
      const trial = { kind: "filter", value: "<p>two words</p>", args: ["trial"] };
      const answer = await module.call?.(new TrialCall(check, "page.html", trial));
      const healthy = typeof answer === "string" && answer.endsWith("<p>two words</p>");
      return healthy ? { healthy } : { healthy, message: "the trial page came back damaged" };
    },
  };
}

/** A call inside a health check: the same deadline and signal, another method. */
class TrialCall implements Call {
  readonly module: string;
  readonly deadline: number;
  readonly parent: Call;
  readonly measurement = undefined;
  readonly method: string;
  readonly payload: Call["payload"];

  constructor(parent: Call, method: string, payload: Call["payload"]) {
    this.parent = parent;
    this.module = parent.module;
    this.deadline = parent.deadline;
    this.method = method;
    this.payload = payload;
  }

  get signal(): AbortSignal {
    return this.parent.signal;
  }

  readonly invoke: Call["invoke"] = (...call) => this.parent.invoke(...call);
  readonly invokeSync: Call["invokeSync"] = (...call) => this.parent.invokeSync(...call);
}

/** The version of reading that serves now. */
export function readingVersion(kernel: Kernel): string {
  const status = kernel.list().find(({ metadata }) => metadata.id === "reading");
  if (status === undefined) throw new KeelsonError("UNKNOWN_MODULE", "reading is not registered");
  return status.metadata.version;
}
