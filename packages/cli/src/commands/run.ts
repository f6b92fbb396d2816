import { pathToFileURL } from "node:url";
import { asKeelsonError, KeelsonError, type Kernel, type ShutdownReport } from "@keelson/core";
import { createKernel } from "#runtime";
import type { Command } from "../arguments.ts";
import type { LoadedConfig, LocatedPlugin } from "../config.ts";
import { loadConfig } from "../config-file.ts";
import { createIsolatingLoader, type IsolatingLoader } from "../loaders.ts";
import { shutdownOnSignals } from "../signals.ts";
import { createReporter, type Reporter } from "../reporter.ts";

/** `keelson run`: starts what a configuration names, and shows it until a signal comes. */
export const runCommand: Command = {
  name: "run",
  description: "Start the modules of a configuration, or one plugin, and watch them",
  args: {
    config: {
      type: "positional",
      description: "A configuration (.ts, .js or .json), or a plugin: its folder, manifest or .wasm file",
      valueHint: "",
    },
    once: {
      type: "boolean",
      description: "Start, check the health, report, shut down; exits with 1 if anything failed",
    },
    json: { type: "boolean", description: "Print one JSON object a line" },
  },
  async run(args) {
    const file = pathToFileURL(args.text("config") ?? "");
    const config = await loadConfig(file);
    using reporter = createReporter({
      json: args.flag("json"),
      verbose: args.flag("verbose"),
      config: args.text("config") ?? "",
    });
    const loader = createIsolatingLoader();
    const kernel = await createKernel({
      ...config.kernel,
      loaders: [loader, ...(config.kernel.loaders ?? [])],
      platform: { log: { write: reporter.log } },
    });
    const start = (): Promise<readonly KeelsonError[]> => startAll(kernel, loader, config, reporter);
    // Awaited here, or the reporter would be disposed first.
    return await (args.flag("once") ? runOnce : runUntilSignal)(kernel, start, reporter);
  },
};

/** Starts everything; answers what failed, which was told. */
type Start = () => Promise<readonly KeelsonError[]>;

async function runUntilSignal(kernel: Kernel, start: Start, reporter: Reporter): Promise<number> {
  // A program whose modules hold no timer, socket or child would end at once.
  const keepAlive = setInterval(() => {}, 2 ** 30);
  const handling = shutdownOnSignals(kernel, {
    before: (signal) => reporter.note(`${signal}: shutting down; once more ends at once`),
  });
  try {
    reporter.show(kernel);
    const failures = await start();
    if (failures.length > 0 && !isAlive(kernel)) {
      reporter.note("Nothing runs.");
      reporter.report(await kernel.shutdown());
      return 1;
    }
    const report = await handling.done;
    reporter.report(report);
    return isClean(report) ? 0 : 1;
  } finally {
    handling[Symbol.dispose]();
    clearInterval(keepAlive);
  }
}

async function runOnce(kernel: Kernel, start: Start, reporter: Reporter): Promise<number> {
  const handling = shutdownOnSignals(kernel);
  try {
    reporter.show(kernel);
    let failed = (await start()).length > 0;
    for (const { metadata, state } of kernel.list()) {
      const { id } = metadata;
      const health =
        state === "running" ? await kernel.health(id) : { healthy: false, message: `is ${state}` };
      if (!health.healthy) failed = true;
      reporter.health(id, health);
    }
    reporter.status(kernel.list());
    const report = await kernel.shutdown();
    reporter.report(report);
    return failed || !isClean(report) ? 1 : 0;
  } finally {
    handling[Symbol.dispose]();
  }
}

/** Registers everything, then starts it in the order of the dependencies. What failed is told and answered; the others run. */
async function startAll(
  kernel: Kernel,
  loader: IsolatingLoader,
  { plugins }: LoadedConfig,
  reporter: Reporter,
): Promise<readonly KeelsonError[]> {
  const failures: KeelsonError[] = [];
  const attempt = async (run: () => Promise<unknown>): Promise<void> => {
    try {
      await run();
    } catch (thrown) {
      const error = asKeelsonError(thrown, "INTERNAL", "An unexpected failure");
      // A signal ended the start: that is no news.
      if (error.code === "KERNEL_CLOSED" || error.code === "ABORTED") return;
      failures.push(error);
      reporter.error(error);
    }
  };
  for (const plugin of plugins) {
    if ("create" in plugin) await attempt(() => kernel.register(plugin));
    else await attempt(() => load(kernel, loader, plugin));
  }
  const order = kernel.list().map(({ metadata }) => metadata.id);
  if (order.length === 0 && failures.length === 0)
    reporter.note("The configuration names no plugins and no modules.");
  // One by one in their promises, so that each failure is told; the kernel sorts out who waits for whom.
  await Promise.all(order.map((id) => attempt(() => kernel.start(id))));
  return failures;
}

async function load(
  kernel: Kernel,
  loader: IsolatingLoader,
  { url, id, isolation }: LocatedPlugin,
): Promise<void> {
  loader.isolation = isolation;
  const plugin = await kernel.load(url, { start: false, ...(id === undefined ? {} : { id }) });
  if (loader.isolation === undefined) return;
  await kernel.unload(plugin.id);
  throw new KeelsonError("INVALID_OPTIONS", `"${plugin.id}" cannot be given the isolation "${isolation}"`, {
    hint: "only plugins of the kind wasm have one, and those that a loader of the configuration's own loads get theirs from it",
    details: { id: plugin.id, isolation },
  });
}

/** Whether a module runs, or a supervisor is about to start it again. */
function isAlive(kernel: Kernel): boolean {
  return kernel
    .list()
    .some(({ state, supervisor }) => state === "running" || supervisor?.state === "restarting");
}

function isClean({ errors, orphans }: ShutdownReport): boolean {
  return errors.length === 0 && orphans.length === 0;
}
