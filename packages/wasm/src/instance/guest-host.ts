import type { Call, KeelsonError, Log, LogLevel } from "@keelson/core";
import type { GuestMemory } from "./guest-memory.ts";

/**
 * The host's side of one instance while profiles and host functions work with it. Made before the instance, so that
 * its imports can close over it.
 */
export interface GuestHost {
  /** Id of the module, for messages. */
  readonly id: string;
  readonly log: Log;
  /** Milliseconds since 1970. */
  wall(): number;
  /** The guest's exported memory; undefined if there is none, and while the start function runs. */
  memory: GuestMemory | undefined;
  /**
   * The call that the guest works on: what is left of its time is `call.deadline` less the platform's clock, and a host function that takes long
   * looks at `call.signal`. Undefined while the instance starts, and when a profile calls the guest outside of any call.
   */
  call: Call | undefined;
  /**
   * True from entering the guest until it has returned. What is thrown in between left the guest half-way: it is dead. Set by
   * profiles around each call of an export.
   */
  entered: boolean;
  /** Set when the guest broke its protocol and must not be used again although it returned. */
  broken: boolean;
  /** The guest's own last words, kept here because a guest may catch what a host function throws. */
  panic: KeelsonError | undefined;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Longest text that is taken from a guest for a log record or an error message, bytes. */
export const MAX_TEXT_BYTES = 16_384;

/** Writes a log record on behalf of the guest; 0 to 3 are debug, info, warn, error, anything else counts as info. */
export function logFromGuest(host: GuestHost, level: number, pointer: number, length: number): void {
  const text = host.memory?.lossyText(pointer, Math.min(length >>> 0, MAX_TEXT_BYTES));
  if (text !== undefined) host.log.write(LEVELS[level] ?? "info", text);
}
