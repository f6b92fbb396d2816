import type { Bytes, KeelsonError } from "@keelson/core";
import type { HostCalls } from "./host-calls.ts";

/**
 * The host's end of the line to one guest's side, a thread or a child. One question at a time.
 */
export interface Line {
  /** Bytes to leave free at the beginning of each message. */
  readonly head: number;
  /** Why it ended, once it has; nothing can be asked any more. */
  readonly failure: KeelsonError | undefined;
  /** How often an instance was made on it. */
  uses: number;
  /** Who serves the guest that calls its host; without one it is told to stop. */
  host: HostCalls | undefined;
  /** Sends what has no answer. */
  tell(message: Bytes): void;
  /** Sends a question; resolves with its answer, or rejects with why the line ended. */
  ask(message: Bytes): Promise<Bytes>;
  /** Sends what a host function answered to a guest that waits for it. */
  answer(message: Bytes): void;
  /** Makes whatever runs on it stop as soon as can be; the question is still answered, or the line ends. */
  stop(): void;
  /** Whether the guest's side is small and whole enough to take another instance. To be asked while it is idle. */
  fit(): boolean;
  /** Ends it, for what came from the guest's side was no message of ours; the error says so. */
  distrust(cause: unknown): KeelsonError;
  /** Ends it, whatever runs on it; resolves when that is done, with what could not be ended. Never rejects. */
  end(why: KeelsonError): Promise<LineEnd>;
}

/** What ending a line found. */
export interface LineEnd {
  /** Processes that survived. */
  readonly orphans: readonly { readonly pid: number; readonly command: string }[];
}
