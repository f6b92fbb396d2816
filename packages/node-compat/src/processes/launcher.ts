import type { MaybePromise, ProcessExit } from "@keelson/core";
import type { InputSink } from "./input.ts";
import type { OutputSource } from "./output.ts";

/** How a runtime starts programs: all that an adapter has to bring. */
export interface Launcher {
  /** Starts a program in a session of its own with this environment and no other; throws the native error. */
  launch(command: string, args: readonly string[], options: LaunchOptions): MaybePromise<Launched>;
}

/** Options of {@link Launcher.launch}. */
export interface LaunchOptions {
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
}

/** A started program. */
export interface Launched {
  readonly pid: number;
  readonly stdin: InputSink;
  readonly stdout: OutputSource;
  readonly stderr: OutputSource;
  /** Settles when it has ended and was reaped; never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** Signals it alone; does nothing when it has ended. Must not throw. */
  kill(signal: "SIGTERM" | "SIGKILL" | "SIGSTOP"): void;
}
