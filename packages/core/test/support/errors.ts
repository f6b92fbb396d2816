import { isKeelsonError, type ErrorCode, type KeelsonError } from "../../src/contract/errors.ts";

/** What `run` throws; it has to. */
export function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

/** The code of the KeelsonError that `run` throws; it has to. */
export function thrownCode(run: () => unknown): ErrorCode {
  return codeOf(thrown(run));
}

/** The KeelsonError with which `work` is rejected; it has to be. */
export async function rejection(work: Promise<unknown>): Promise<KeelsonError> {
  const error: unknown = await work.then(
    (value) => new Error(`not rejected, but resolved with ${String(value)}`),
    (reason: unknown) => reason,
  );
  if (!isKeelsonError(error)) throw error;
  return error;
}

/** The code with which `work` is rejected; it has to be. */
export async function rejectionCode(work: Promise<unknown>): Promise<ErrorCode> {
  return (await rejection(work)).code;
}

/** The code of a KeelsonError; anything else is thrown on. */
export function codeOf(error: unknown): ErrorCode {
  if (!isKeelsonError(error)) throw error;
  return error.code;
}
