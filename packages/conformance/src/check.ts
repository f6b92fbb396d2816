import { describeThrown, isKeelsonError, type ErrorCode, type KeelsonError } from "@keelson/core";
import { requireGiven } from "./given.ts";
import type { Subject } from "./subject.ts";

/** One promise, as data. */
export interface Check {
  /** Stable: `<contract>.<promise>`, such as "pool.first-come-first-served". */
  readonly id: string;
  /** The promise, as a sentence. */
  readonly title: string;
  /** Features of the platform without which the check is skipped. */
  readonly requires?: readonly string[];
  /** Resolves when the promise is kept; throws what shows that it is not. Must release all it took. */
  run(subject: Subject, context: CheckContext): Promise<void>;
}

/** What a running check may use. */
export interface CheckContext {
  /** Fires when the check's time is over. */
  readonly signal: AbortSignal;
  /** Runs when the check ends, last first; what fails here fails the check. */
  defer(undo: () => unknown): void;
}

/** A promise that was not kept. */
export class BrokenPromise extends Error {
  override readonly name: string = "BrokenPromise";
}

/** Fails the check with `message` unless `condition` holds. */
export function ensure(condition: boolean, message: string): asserts condition {
  if (!condition) throw new BrokenPromise(message);
}

/** Fails the check unless both are the same, or plain data of the same content. */
export function ensureEqual(actual: unknown, expected: unknown, what: string): void {
  if (Object.is(actual, expected)) return;
  const [a, b] = [print(actual), print(expected)];
  if (a !== b || typeof actual !== typeof expected)
    throw new BrokenPromise(`${what}: expected ${b}, got ${a}`);
}

/**
 * Marks a promise as looked after: a check that fails before it comes to await it must not bring down the run with an unhandled
 * rejection. Whoever awaits it still sees it fail.
 */
export function handled<T>(promise: Promise<T>): Promise<T> {
  requireGiven(typeof promise?.catch === "function", "a promise");
  promise.catch(() => {});
  return promise;
}

/** Fails the check unless `work` fails with a KeelsonError of this code; gives the error. May be awaited later: see {@link handled}. */
export function ensureCode(
  work: Promise<unknown> | (() => unknown),
  code: ErrorCode,
  what: string,
): Promise<KeelsonError> {
  return handled(failureOf(work, code, what));
}

async function failureOf(
  work: Promise<unknown> | (() => unknown),
  code: ErrorCode,
  what: string,
): Promise<KeelsonError> {
  let value: unknown;
  try {
    value = await (typeof work === "function" ? work() : work);
  } catch (error) {
    if (isKeelsonError(error, code)) return error;
    const got = isKeelsonError(error) ? error.code : describeThrown(error);
    throw new BrokenPromise(`${what}: expected ${code}, got ${got}`, { cause: error });
  }
  throw new BrokenPromise(`${what}: expected ${code}, got the value ${print(value)}`);
}

function print(value: unknown): string {
  // What JSON does not know is written as an object, so that it is not taken for a text, or for null.
  const order = (_key: string, inner: unknown): unknown => {
    if (typeof inner === "bigint") return { bigint: String(inner) };
    if (inner === undefined) return { undefined: true };
    if (typeof inner === "number" && !Number.isFinite(inner)) return { number: String(inner) };
    if (inner instanceof Uint8Array) return { bytes: [...inner] };
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return JSON.stringify(value, order) ?? String(value);
}
