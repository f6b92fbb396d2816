import { asKeelsonError, KeelsonError, type ErrorCode } from "../contract/errors.ts";
import type { Module } from "../contract/module.ts";
import type { MaybePromise } from "../contract/value.ts";
import { isPromise } from "../primitives/deferred.ts";
import { shown } from "../primitives/invalid-options.ts";

/** What a function threw, which may be anything, `undefined` included. */
export type Failure = { readonly thrown: unknown } | undefined;

/** Runs `run` and answers what it threw or rejected with. */
export function attempt(run: () => MaybePromise<void>): MaybePromise<Failure> {
  try {
    const answer = run();
    return isPromise(answer)
      ? Promise.resolve(answer).then(
          () => undefined,
          (thrown: unknown) => ({ thrown }),
        )
      : undefined;
  } catch (thrown) {
    return { thrown };
  }
}

/** What a function of the module threw, as the error that callers get. */
export function failedIn(step: string, id: string, error: unknown): KeelsonError {
  return asKeelsonError(error, "MODULE_FAILED", `Module "${id}" failed in ${step}`, {
    hint: `the cause is what its ${step} threw; mend it, then start("${id}") again`,
    details: { id, step },
  });
}

/** What create() of module `id` answered, which may be anything, if it can be a module. */
export function requireModule(id: string, module: Module): Module {
  if (Object(module) === module) return module;
  throw new KeelsonError("MODULE_FAILED", `create() of module "${id}" answered ${shown(module)}`, {
    hint: "return an object with the module's functions",
    details: { id, step: "init" },
  });
}

/** A function of the module did not settle in time. */
export function notInTime(step: string, id: string, code: ErrorCode, timeoutMs: number): KeelsonError {
  return new KeelsonError(code, `Module "${id}": ${step} did not settle within ${timeoutMs} ms`, {
    hint: `make it faster, or raise deadlines.${code.slice(0, code.indexOf("_")).toLowerCase()}Ms`,
    details: { id, timeoutMs, step },
  });
}

/** For calls that were under way when their generation ended. */
export function endedDuringCall(id: string, how: string): KeelsonError {
  return new KeelsonError("ABORTED", `Module "${id}" ${how} during the call`, {
    hint: `call it again when state("${id}") is running`,
    details: { id },
  });
}

/** For a start while the last generation may be alive. */
export function mayBeAlive(id: string, cause: KeelsonError): KeelsonError {
  return new KeelsonError(
    "STOP_TIMEOUT",
    `Module "${id}" cannot start: its last generation may still be alive`,
    {
      hint: "unload it, or end what survived; a stopped module starts again once its last generation is gone",
      details: { id },
      cause,
    },
  );
}
