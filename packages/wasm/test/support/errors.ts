import { isKeelsonError, type ErrorCode, type KeelsonError } from "@keelson/core";
import { expect } from "vitest";

/** Runs `run`, which must fail with a KeelsonError of this code; gives the error back for a closer look. */
export async function failure(code: ErrorCode, run: () => unknown): Promise<KeelsonError> {
  let thrown: unknown;
  try {
    await run();
  } catch (error) {
    thrown = error;
  }
  expect(isKeelsonError(thrown), `expected ${code}, got ${String(thrown)}`).toBe(true);
  expect((thrown as KeelsonError).code, String(thrown)).toBe(code);
  return thrown as KeelsonError;
}

/** The KeelsonError with which `work` fails, whatever its code. */
export async function rejection(work: Promise<unknown>): Promise<KeelsonError> {
  const error = await work.then(
    (value) => new Error(`answered ${String(value)}`),
    (thrown: unknown) => thrown,
  );
  if (isKeelsonError(error)) return error;
  throw error;
}
