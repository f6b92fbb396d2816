/**
 * Press, the demo: `npm start`, or `npm start -- --once` to see all of it without a person.
 */
import process from "node:process";
import { createDisplay, shutdownOnSignals, type ShutdownReport } from "keelson";
import { runOnce } from "./once/once.ts";
import { help, parseOptions, type Options } from "./options.ts";
import { openPress } from "./press.ts";
import { currentRuntime, runOn } from "./runtime.ts";

/** How often Press looks whether npm's shell is still there, ms. */
const PARENT_LOOK_MS = 250;

/** Runs what the command line asks for; answers the exit code when all of it is over. */
export async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${help}`);
    return 2;
  }
  if (options.help) {
    console.log(help);
    return 0;
  }
  const { runtime } = options;
  if (runtime !== undefined && runtime !== currentRuntime()) {
    return runOn(runtime, args);
  }
  try {
    if (options.once) return (await runOnce(options)) ? 0 : 1;
    return await serve(options);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE" || code === "EACCES") {
      console.error(
        `Press cannot listen on port ${options.port} (${code})\n  hint: give another --port, or none for a free one`,
      );
    } else console.error("Press could not go on:", error);
    return 1;
  }
}

/** Serves until a signal comes; answers whether the shutdown found anything amiss, as an exit code. */
async function serve({ port }: Options): Promise<number> {
  let url = "";
  const display = createDisplay({ heading: () => [`Press  ${url}  (Ctrl-C ends it)`, ""] });
  const press = await openPress({
    port,
    log: (line) => display.line(line),
    watch: (kernel) => {
      if (!display.live) display.show(kernel);
    },
  });
  ({ url } = press);
  // Before anybody can know that it is up.
  const { done } = shutdownOnSignals(press.kernel, {
    before: async (signal) => {
      display.line(`${signal}: shutting down; Ctrl-C once more ends it at once`);
      await press.close();
    },
    onReport: (report) => {
      display[Symbol.dispose]();
      for (const line of describe(report)) console.log(line);
    },
  });
  const { name, version } = press.kernel.platform;
  display.line(`Press serves this repository's pages on ${url} (${name} ${version})`);
  if (display.live) display.show(press.kernel);
  await done;
  return Number(process.exitCode ?? 0);
}

/** A shutdown report for people. */
function describe({ terminated, orphans, errors }: ShutdownReport): string[] {
  return [
    `stopped ${terminated.length} modules: ${terminated.join(", ")}`,
    `processes that could not be ended: ${orphans.length === 0 ? "none" : orphans.map(({ pid, command }) => `${pid} ${command}`).join(", ")}`,
    `errors: ${errors.length === 0 ? "none" : errors.map(({ id, error }) => `${id}: ${error.code} ${error.message}`).join("; ")}`,
  ];
}

/**
 * Ends Press when the process that started it has ended. npm hands a SIGTERM on to the shell between them, and the shell to nobody: it
 * would leave Press behind, with the port taken.
 */
function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, "SIGTERM");
  }, PARENT_LOOK_MS).unref();
}

if (import.meta.main) {
  // Started by hand it may outlive its shell.
  if (process.env["npm_lifecycle_event"] === "start") endWithParent();
  process.exitCode = await main(process.argv.slice(2));
}
