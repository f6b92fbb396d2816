import { asKeelsonError, KeelsonError, suggest } from "@keelson/core";
import type { Check, CheckContext } from "./check.ts";
import { requireGiven } from "./given.ts";
import type { Subject } from "./subject.ts";

/** How one check went. */
export interface CheckResult {
  readonly id: string;
  readonly title: string;
  readonly status: "passed" | "failed" | "skipped";
  /** Why it was skipped, or what showed that the promise is not kept. */
  readonly reason?: string;
  readonly ms: number;
}

/** How all of them went. Plain data. */
export interface Report {
  readonly subject: string;
  readonly platform: { readonly name: string; readonly version: string };
  readonly counts: { readonly passed: number; readonly failed: number; readonly skipped: number };
  readonly results: readonly CheckResult[];
}

/** Options of {@link runChecks}. */
export interface RunOptions {
  /** Ids, or beginnings of ids that end in a dot, to run alone. */
  readonly only?: readonly string[];
  /** Told of each result as it comes. */
  readonly onResult?: (result: CheckResult) => void;
  /** Time of one check, ms. Default 30,000. */
  readonly timeoutMs?: number;
  /** Ends the run after the check under way, with `ABORTED`. */
  readonly signal?: AbortSignal;
}

/** What an adapter brings or does not bring, beside the platform's own features. */
const brought: Readonly<Record<string, (subject: Subject) => string | undefined>> = {
  turn: (subject) =>
    subject.platform().clock.turn === undefined
      ? "the platform's clock has no turns; timers take their place"
      : undefined,
  ran: (subject) =>
    subject.platform().clock.ran === undefined
      ? "the platform's clock does not tell what a thread ran"
      : undefined,
  child: ({ child }) => (child === undefined ? "the adapter names no way to run a child program" : undefined),
  wasmModule: ({ wasmModule }) =>
    wasmModule === undefined ? "the adapter brings no wasmModule()" : undefined,
  suspending: ({ suspending }) =>
    suspending === undefined ? "the adapter brings no suspending()" : undefined,
  replay: (subject) => (subject.replay === undefined ? "the adapter brings no replay()" : undefined),
};

/**
 * The checks that `only` names, by id or by the beginning of ids that ends in a dot; all without it.
 * @throws KeelsonError `INVALID_OPTIONS` for a name that stands for none: a suite that checks nothing would look as if all were well
 */
export function selectChecks(checks: readonly Check[], only?: readonly string[]): readonly Check[] {
  if (only === undefined) return checks;
  for (const part of only) requireKnown(part, checks);
  return checks.filter(({ id }) => only.some((part) => matches(id, part)));
}

/** Whether `part` is this id, or the beginning of it that ends in a dot. */
export function matches(id: string, part: string): boolean {
  return id === part || (part.endsWith(".") && id.startsWith(part));
}

function requireKnown(part: string, checks: readonly Check[]): void {
  const ids = checks.map(({ id }) => id);
  if (ids.some((id) => matches(id, part))) return;
  const near = suggest(part, ids);
  const contracts = new Set(ids.map((id) => id.slice(0, id.indexOf(".") + 1)));
  throw new KeelsonError("INVALID_OPTIONS", `There is no check "${part}"`, {
    hint:
      near === undefined
        ? `name a check, or a contract with a dot behind it: ${[...contracts].join(" ")}`
        : `did you mean "${near}"?`,
  });
}

function requireSubject(subject: Subject): void {
  requireGiven(typeof subject?.platform === "function", "a subject, as createSubject makes it");
}

/** Why `subject` cannot be asked to keep this promise; undefined when it can. Skips come from here alone. */
export function skipReason(check: Check, subject: Subject): string | undefined {
  requireGiven(typeof check?.run === "function", "a check");
  requireSubject(subject);
  const { supports, reasons } = subject.platform();
  for (const feature of check.requires ?? []) {
    const own = brought[feature];
    const reason = own?.(subject);
    if (reason !== undefined) return reason;
    if (own === undefined && supports[feature] !== true)
      return reasons[feature] ?? `the platform does not support ${feature}`;
  }
  return undefined;
}

/**
 * Runs one check to its end: clean-up included, bounded in time.
 * @throws what showed that the promise is not kept
 */
export async function runCheck(check: Check, subject: Subject, timeoutMs = 30_000): Promise<void> {
  requireGiven(typeof check?.run === "function", "a check");
  requireSubject(subject);
  const controller = new AbortController();
  const undo: (() => unknown)[] = [];
  const context: CheckContext = { signal: controller.signal, defer: (run) => void undo.push(run) };
  const errors: unknown[] = [];
  try {
    await within(timeoutMs, "the check", async () => check.run(subject, context));
  } catch (error) {
    errors.push(error);
  }
  controller.abort();
  for (let next = undo.pop(); next !== undefined; next = undo.pop()) {
    const run = next;
    try {
      await within(CLEAN_UP_MS, "the clean-up", async () => run());
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

const CLEAN_UP_MS = 15_000;

/** By the runtime's own timer: the clock under test may be the one that never rings. */
async function within(ms: number, what: string, run: () => Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${what} did not end within ${ms} ms`)), ms);
  try {
    await Promise.race([run(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function outcomeOf(
  check: Check,
  subject: Subject,
  timeoutMs: number | undefined,
): Promise<Pick<CheckResult, "status" | "reason">> {
  try {
    const reason = skipReason(check, subject);
    if (reason !== undefined) return { status: "skipped", reason };
    await runCheck(check, subject, timeoutMs);
    return { status: "passed" };
  } catch (error) {
    return { status: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Runs the checks one after the other; a failed one does not keep the others from running.
 * @throws KeelsonError `ABORTED` when the signal fires, `INVALID_OPTIONS` when `only` names no check
 */
export async function runChecks(
  checks: readonly Check[],
  subject: Subject,
  options?: RunOptions,
): Promise<Report> {
  const { only, onResult, timeoutMs, signal } = options ?? {};
  requireGiven(Array.isArray(checks), "a list of checks");
  requireSubject(subject);
  const { name, version } = subject.platform();
  const wanted = selectChecks(checks, only);
  const results: CheckResult[] = [];
  for (const check of wanted) {
    if (signal?.aborted === true) throw asKeelsonError(signal.reason, "ABORTED", "The run was ended");
    const { id, title } = check;
    const started = performance.now();
    const outcome = await outcomeOf(check, subject, timeoutMs);
    const result: CheckResult = { id, title, ...outcome, ms: Math.round(performance.now() - started) };
    results.push(result);
    onResult?.(result);
  }
  const count = (status: CheckResult["status"]): number =>
    results.filter((result) => result.status === status).length;
  return {
    subject: subject.name,
    platform: { name, version },
    counts: { passed: count("passed"), failed: count("failed"), skipped: count("skipped") },
    results,
  };
}
