import process from "node:process";
import { requireOptions } from "@keelson/core/plain";
import { KeelsonError, type Kernel, type MaybePromise, type ShutdownReport } from "@keelson/core";

/** The signals that ask a program to end. */
export type EndingSignal = "SIGINT" | "SIGTERM";

/** Options of {@link shutdownOnSignals}. */
export interface ShutdownOnSignalsOptions {
  /** Runs first, for what must end before the modules do, such as a server that takes requests. What it throws is given to `onError`. */
  readonly before?: ((signal: EndingSignal) => MaybePromise<void>) | undefined;
  /** Is given the report when the kernel is shut down, before the program ends. */
  readonly onReport?: ((report: ShutdownReport, signal: EndingSignal) => MaybePromise<void>) | undefined;
  /** Is given what `before` or `onReport` threw. Default: standard error. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Time of the shutdown, see {@link Kernel.shutdown}. */
  readonly timeoutMs?: number | undefined;
}

/** What {@link shutdownOnSignals} gives back. Disposing it takes the handlers away. */
export interface SignalHandling extends Disposable {
  /** Settles when a signal has come and all has ended. Never rejects. */
  readonly done: Promise<ShutdownReport>;
}

/** How a shell reports a program that SIGINT ended. */
const INTERRUPTED = 130;

/**
 * Lets SIGINT and SIGTERM shut the kernel down, once, and a second SIGINT end the program at once with exit code 130. The exit code after
 * a shutdown is 0, or 1 when the report names orphans or errors; the program then ends by itself, when nothing else keeps it alive. A kernel
 * installs no handlers by itself.
 *
 * After the second SIGINT nothing is waited for: process modules see the end of their standard input, and what stays is ended by the next host.
 *
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export function shutdownOnSignals(kernel: Kernel, options?: ShutdownOnSignalsOptions): SignalHandling {
  requireOptions(
    "shutdownOnSignals",
    options,
    { before: "function", onReport: "function", onError: "function", timeoutMs: 0 },
    Infinity,
  );
  const { before, onReport, onError = (error: unknown) => console.error(error), timeoutMs } = options ?? {};
  // Found out when a signal comes, nothing would end the program.
  if (typeof kernel?.shutdown !== "function")
    throw new KeelsonError("INVALID_OPTIONS", "Signals are to shut down a kernel", {
      hint: "give what createKernel answers, awaited",
    });
  const done = Promise.withResolvers<ShutdownReport>();
  let first: EndingSignal | undefined;

  const guarded = async (run: () => MaybePromise<void> | undefined): Promise<boolean> => {
    try {
      await run();
      return true;
    } catch (error) {
      onError(error);
      return false;
    }
  };

  const end = async (signal: EndingSignal): Promise<void> => {
    const prepared = await guarded(() => before?.(signal));
    const report = await kernel.shutdown(timeoutMs === undefined ? {} : { timeoutMs });
    const told = await guarded(() => onReport?.(report, signal));
    const clean = report.orphans.length === 0 && report.errors.length === 0;
    process.exitCode = clean && prepared && told ? 0 : 1;
    dispose();
    done.resolve(report);
  };

  const onInterrupt = (): void => {
    // An interrupt behind a SIGTERM is the first that a person has sent, and they are waiting as well.
    if (first !== undefined) process.exit(INTERRUPTED);
    first = "SIGINT";
    void end(first);
  };
  const onTerminate = (): void => {
    if (first !== undefined) return;
    first = "SIGTERM";
    void end(first);
  };
  const dispose = (): void => {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onTerminate);
  };

  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  return { done: done.promise, [Symbol.dispose]: dispose };
}
