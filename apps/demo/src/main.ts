/**
 * Press, the demo: `npm start`, or `npm start -- --once` to see all of it without a person.
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createDisplay, shutdownOnSignals, type ShutdownReport } from "keelson";
import { runOnce } from "./once/once.ts";
import { help, parseOptions, type Options } from "./options.ts";
import { openPress } from "./press.ts";
import { currentRuntime, runOn } from "./runtime.ts";

async function main(args: readonly string[]): Promise<number | undefined> {
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
    return runOn(runtime, fileURLToPath(import.meta.url), args);
  }
  try {
    if (options.once) return (await runOnce(options)) ? 0 : 1;
    await serve(options);
    return undefined;
  } catch (error) {
    console.error("Press could not go on:", error);
    return 1;
  }
}

/** Serves until a signal comes; the exit code is set by what the shutdown finds. */
async function serve({ port }: Options): Promise<void> {
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
  shutdownOnSignals(press.kernel, {
    before: async () => void (await press.close()),
    onReport: (report) => {
      display[Symbol.dispose]();
      for (const line of describe(report)) console.log(line);
    },
  });
  const { name, version } = press.kernel.platform;
  display.line(`Press serves this repository's pages on ${url} (${name} ${version})`);
  if (display.live) display.show(press.kernel);
}

/** A shutdown report for people. */
function describe({ terminated, orphans, errors }: ShutdownReport): string[] {
  return [
    `stopped ${terminated.length} modules: ${terminated.join(", ")}`,
    `processes that could not be ended: ${orphans.length === 0 ? "none" : orphans.map(({ pid, command }) => `${pid} ${command}`).join(", ")}`,
    `errors: ${errors.length === 0 ? "none" : errors.map(({ id, error }) => `${id}: ${error.code} ${error.message}`).join("; ")}`,
  ];
}

if (import.meta.main) {
  const code = await main(process.argv.slice(2));
  if (code !== undefined) process.exitCode = code;
}
