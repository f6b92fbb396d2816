import type { AbiProfile } from "../abi/profile.ts";
import type { CallRecord, ErrorCode, StopReason, Usage, Value } from "@keelson/core";

/** Version of the form that records have now. */
export const RECORD_VERSION = 1;

/**
 * One recorded call of a WebAssembly guest: `printRecord` makes a text of it, `parseRecord` reads it, and `replay` runs it again. Numbers that JSON
 * does not know stand as `{ $number: "NaN" }`, i64 as bigint.
 */
export interface CallRecording extends CallRecord {
  readonly version: typeof RECORD_VERSION;
  readonly kind: "wasm";
  readonly module: {
    readonly id: string;
    /** SHA-256 of the module's bytes as they came, before metering; hexadecimal. */
    readonly sha256: string;
    /** Name of the ABI profile. */
    readonly abi: string;
  };
  /** What decides which instruction a guest is stopped at. */
  readonly metering: {
    readonly mode: "exact" | "deadline";
    /** Of the rewriting: another one counts otherwise. */
    readonly meter: string;
    readonly stackBytes: number;
    readonly memoryBytes: number;
    readonly tableElements: number;
    /** Units; null for no limit. */
    readonly fuel: number | null;
  };
  readonly method: string;
  readonly payload: Value;
  /** All calls of imported functions, in order, those of the start included. */
  readonly hostCalls: readonly RecordedHostCall[];
  readonly outcome: RecordedOutcome;
}

/** A number as it stands in a record. */
export type RecordedNumber = number | bigint | { readonly $number: string };

/** Bytes that the host wrote. */
export interface RecordedWrite {
  readonly [key: string]: Value;
  /** Which memory: in the order in which they are exported. */
  readonly memory: number;
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** One call of an imported function. */
export interface RecordedHostCall {
  readonly [key: string]: Value;
  /** `module.name` */
  readonly name: string;
  readonly args: readonly RecordedNumber[];
  /** None for a function that answered nothing or threw. */
  readonly results: readonly RecordedNumber[];
  /** What it threw. */
  readonly thrown?: { readonly code: string; readonly message: string };
  /** The guest ended itself by this call; what it said. */
  readonly panic?: { readonly code: string; readonly message: string };
  /** What it changed in the guest's memories. */
  readonly writes: readonly RecordedWrite[];
  /** Pages by which it grew them; one for each memory that grew. */
  readonly grown: readonly { readonly memory: number; readonly pages: number }[];
}

/** How a recorded call ended. */
export interface RecordedOutcome {
  readonly [key: string]: Value;
  /** "answered", or the code of the error. */
  readonly code: "answered" | ErrorCode;
  readonly value: Value;
  readonly message?: string;
  /** Which limit stopped the guest. */
  readonly limit?: StopReason;
  /** Units of fuel used by the call. */
  readonly fuel: number;
  /** After a trap, and where an object did not fit: the most that it can have used. */
  readonly fuelAtMost?: number;
  /**
   * Set when the guest was stopped on coming back from the host or from a growth of its memory, and not at a loop or an entry: how often it had come
   * back by then. A stop by time is found again by this, or else by its fuel.
   */
  readonly stoppedAtReturn?: number;
  /** SHA-256, hexadecimal, of the memories that the host can see, as the call left them. */
  readonly memorySha256: string;
}

/** Options of `replay`. */
export interface ReplayOptions {
  /** A monotonic clock, ms, for `usage.cpuMs`; the guest sees none but the recorded one. */
  readonly clock: { now(): number };
  /** The profile that the record was made with, if that is none of the built-in ones. */
  readonly abi?: AbiProfile;
  /** How long the call may take when it is run again, ms; a record that somebody else wrote may ask for more work than anybody wants to wait for. Default: no limit. */
  readonly timeoutMs?: number;
  /** Refuse another module, and reject when the outcome differs. Default true; false shows what another version of the module does with the same input. */
  readonly strict?: boolean;
}

/** What a replay found. */
export interface Replayed {
  /** "answered", or the code of the error that the call ended with. */
  readonly outcome: "answered" | ErrorCode;
  readonly value: Value;
  /** The error's message, when there was one. */
  readonly message: string | undefined;
  readonly fuel: number;
  readonly usage: Usage;
  /** Whether outcome, value, fuel and memory are those of the record. */
  readonly equal: boolean;
  /** One sentence for each difference. */
  readonly differences: readonly string[];
}
