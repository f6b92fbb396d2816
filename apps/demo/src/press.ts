import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { createKernel, type Kernel, type ShutdownReport } from "keelson";
import { App } from "./app.ts";
import { Library, type Shelf } from "./library.ts";
import { ensureBuilt, loadPlugins } from "./plugins.ts";
import { loadRunaways } from "./trials/runaways.ts";
import { openServer, type Server } from "./server.ts";
import { Traffic } from "./traffic.ts";
import { Trials } from "./trials/trials.ts";

/** Options of {@link openPress}. */
export interface PressOptions {
  /** Default: any free one. */
  readonly port?: number;
  /** Default: this repository. */
  readonly shelves?: readonly Shelf[];
  /** Takes the kernel's log, a line at a time. Default: nobody. */
  readonly log?: (line: string) => void;
  /** Is given the kernel before anything is loaded. */
  readonly watch?: (kernel: Kernel) => void;
}

/** A running Press. Closing it ends the server, then the kernel, and gives the kernel's report; disposing it does the same. */
export interface Press extends AsyncDisposable {
  readonly url: string;
  readonly kernel: Kernel;
  /** What its children carry in their environment as PRESS_RUN. */
  readonly mark: string;
  /** The ids of all that was loaded. */
  readonly plugins: readonly string[];
  readonly counts: PressCounts;
  close(): Promise<ShutdownReport>;
}

/** Counted since the start. */
export interface PressCounts {
  /** Requests that were answered. */
  readonly served: number;
  /** Of these, with a server error. */
  readonly failed: number;
  /** Of these, pages that went out without a filter. */
  readonly degraded: number;
  readonly restarts: number;
  readonly rollbacks: number;
}

/** The folder of the repository, whose Markdown files are the pages. */
export const repository: string = fileURLToPath(new URL("../../../", import.meta.url));

/** Starts the kernel with its plugins, then the server on 127.0.0.1. What was started is ended again when a later step fails. */
export async function openPress(options: PressOptions = {}): Promise<Press> {
  await ensureBuilt();
  const { log = (): void => {} } = options;
  const kernel = await createKernel({ platform: { log: { level: "warn", color: false, write: log } } });
  options.watch?.(kernel);
  const mark = randomUUID();
  const traffic = new Traffic();
  const trials = new Trials(kernel, traffic, mark);
  let server: Server | undefined;
  const close = async (): Promise<ShutdownReport> => {
    await server?.close();
    trials[Symbol.dispose]();
    return kernel.shutdown();
  };
  try {
    await Promise.all([loadPlugins(kernel, mark), loadRunaways(kernel)]);
    const library = new Library(options.shelves ?? [{ prefix: "", folder: repository }]);
    const app = new App(kernel, library, trials, traffic);
    server = await openServer((request) => app.answer(request), options.port ?? 0);
    const { url } = server;
    const plugins = kernel.list().map(({ metadata }) => metadata.id);
    return {
      url,
      kernel,
      mark,
      plugins,
      get counts() {
        return app.counts;
      },
      close,
      async [Symbol.asyncDispose]() {
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
