import { KeelsonError } from "@keelson/core/plain";
import type { FunctionType } from "../binary/outline.ts";

/** A host function as it is linked. */
export type HostFunction = (...args: unknown[]) => unknown;

/** Where a host function stands, for messages. */
export interface HostFunctionPlace {
  /** Id of the module. */
  readonly id: string;
  /** `module.name` of the import. */
  readonly name: string;
}

/**
 * A host function that must answer at once, watched for promises: a guest would get 0 for one, without a word. Functions of another instance
 * are left as they are, since the engine checks their types itself.
 *
 * @param type its type, where it could be read
 * @throws KeelsonError `WASM_LINK` for a function that was written as `async`
 */
export function watchAnswers(
  run: HostFunction,
  type: FunctionType | undefined,
  place: HostFunctionPlace,
): HostFunction {
  if (isAsync(run)) throw promised(place, "is an async function");
  // A reference may well be a promise that the guest only keeps. Exported functions of WebAssembly have numbers for names.
  if (/^\d+$/.test(run.name) || type?.results.includes("other")) return run;
  switch (type?.params.length) {
    case 0:
      return () => watched(run(), place);
    case 1:
      return (a) => watched(run(a), place);
    case 2:
      return (a, b) => watched(run(a, b), place);
    case 3:
      return (a, b, c) => watched(run(a, b, c), place);
    case 4:
      return (a, b, c, d) => watched(run(a, b, c, d), place);
    default:
      return (...args) => watched(run(...args), place);
  }
}

/** Whether a value is a promise, or passes for one. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}

/** What stands for the answer of a function that nobody waits for any more; undefined when there is no such value. */
export function neutralAnswer(type: FunctionType | undefined): { readonly value: unknown } | undefined {
  if (type === undefined || type.results.includes("other")) return undefined;
  const values = type.results.map((result) => (result === "i64" ? 0n : 0));
  return { value: values.length < 2 ? values[0] : values };
}

function watched(value: unknown, place: HostFunctionPlace): unknown {
  if (typeof value !== "object" || !isPromise(value)) return value;
  // Nobody will look at it again: its failure must not end the program.
  value.then(undefined, () => {});
  throw promised(place, "answered with a promise");
}

function isAsync(run: HostFunction): boolean {
  return (run as { readonly [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === "AsyncFunction";
}

function promised({ id, name }: HostFunctionPlace, what: string): KeelsonError {
  return new KeelsonError(
    "WASM_LINK",
    `${id}: the host function ${name} ${what}, but was not marked for it`,
    {
      hint: "wrap it in suspending(…), which suspends the guest meanwhile; or answer a plain value",
      details: { module: id, import: name },
    },
  );
}
