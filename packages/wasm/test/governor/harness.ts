import { isKeelsonError, type KeelsonError } from "@keelson/core";
import { Governor, type GovernorOptions } from "../../src/governor/index.ts";
import { meter, type MeterOptions } from "../../src/meter/index.ts";
import { wat } from "../meter/wat.ts";

/** Exports of a guest, as functions. */
export type Exports = Record<string, (...args: unknown[]) => unknown>;

/** What the guests of these tests are metered with. */
export const usual: MeterOptions = {
  mode: "exact",
  stackBytes: 512 * 1024,
  memoryBytes: 2 ** 20,
  tableElements: 1000,
};

/** A clock that stands still unless it is set, ms. */
export class ManualClock {
  time = 1000;
  now(): number {
    return this.time;
  }
}

/** A guest with its governor. */
export interface Guest {
  readonly governor: Governor;
  readonly exports: Exports;
  readonly clock: ManualClock;
}

/** A guest made of text or bytes; `imports` are those of the module `h`. */
export function guest(
  text: string | Uint8Array<ArrayBuffer>,
  imports: Record<string, unknown> = {},
  options: Partial<GovernorOptions> = {},
  metering: MeterOptions = usual,
): Guest {
  const clock = new ManualClock();
  const governor = new Governor({ clock, ...options });
  const metered = meter(typeof text === "string" ? wat(text) : text, metering);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(metered.bytes), { h: imports as never });
  governor.adopt(instance, metered.meta);
  return { governor, exports: instance.exports as unknown as Exports, clock };
}

/** The error of a run that has to fail. */
export function failure(run: () => unknown): KeelsonError {
  try {
    run();
  } catch (error) {
    if (isKeelsonError(error)) return error;
    throw error;
  }
  throw new Error("it did not fail");
}
