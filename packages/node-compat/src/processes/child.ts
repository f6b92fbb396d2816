import type {
  Bytes,
  MaybePromise,
  Process,
  ProcessExit,
  TerminateOptions,
  TerminationReport,
} from "@keelson/core";
import { Input } from "./input.ts";
import type { Launched } from "./launcher.ts";
import { Output } from "./output.ts";

/** Ends a child; `hurry` is settled when somebody asks for an earlier kill. */
export type EndChild = (
  child: ChildProcess,
  options: TerminateOptions,
  hurry: Promise<void>,
) => Promise<TerminationReport>;

/** A running child, the same on every runtime. */
export class ChildProcess implements Process {
  readonly pid: number;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly exited: Promise<ProcessExit>;
  /** As it was started, for reports. */
  readonly command: string;
  readonly #launched: Launched;
  readonly #input: Input;
  readonly #end: EndChild;
  readonly #memoryBytes: ((pid: number) => number | undefined) | undefined;
  readonly #hurry: PromiseWithResolvers<void> = Promise.withResolvers();
  #ended = false;
  #termination: Promise<TerminationReport> | undefined;

  constructor(
    launched: Launched,
    command: string,
    end: EndChild,
    memoryBytes: ((pid: number) => number | undefined) | undefined,
  ) {
    this.#launched = launched;
    this.#end = end;
    this.#memoryBytes = memoryBytes;
    this.command = command;
    this.pid = launched.pid;
    this.stdout = new Output(launched.stdout);
    this.stderr = new Output(launched.stderr);
    this.#input = new Input(launched.stdin, `process ${launched.pid}`);
    this.exited = launched.exited.then((exit) => {
      this.#ended = true;
      this.#input.fail();
      // A termination under way closes it with the rest.
      if (this.#termination === undefined) this.#input.close();
      return exit;
    });
  }

  /** Whether it has ended and was reaped: its pid may belong to another from now on. */
  get ended(): boolean {
    return this.#ended;
  }

  memoryBytes(): number | undefined {
    return this.#ended ? undefined : this.#memoryBytes?.(this.pid);
  }

  write(chunk: Bytes | string): MaybePromise<void> {
    return this.#input.write(chunk);
  }

  closeStdin(): void {
    this.#input.end();
  }

  /** Signals the child alone. */
  kill(signal: "SIGTERM" | "SIGKILL" | "SIGSTOP"): void {
    if (!this.#ended) this.#launched.kill(signal);
  }

  terminate(options: TerminateOptions = {}): Promise<TerminationReport> {
    if (this.#termination === undefined) {
      this.#termination = this.#terminate(options);
    } else if (options.graceMs === 0) {
      this.#hurry.resolve();
    }
    return this.#termination;
  }

  async #terminate(options: TerminateOptions): Promise<TerminationReport> {
    const report = await this.#end(this, options, this.#hurry.promise);
    // The report does not wait for the descriptors to be closed. Survivors may hold the pipes for ever.
    const survived = report.orphans.length > 0;
    setImmediate(() => {
      this.#input.close();
      this.stdout.release(survived);
      this.stderr.release(survived);
    });
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }
}
