import { asKeelsonError, type KeelsonError } from "../contract/errors.ts";
import type { Scope } from "../contract/module.ts";
import type { MaybePromise } from "../contract/value.ts";
import { requireFunction } from "./invalid-options.ts";

/**
 * The one implementation of {@link Scope}. Ending it undoes all in reverse order, each after the one before has settled; a failing
 * undo does not keep the others from running.
 */
export class UndoScope implements Scope {
  #undo: (() => MaybePromise<void>)[] | undefined;
  #ended: Promise<readonly KeelsonError[]> | undefined;
  /** Failures of undos that came after the end. */
  readonly #onLateFailure: (error: KeelsonError) => void;

  constructor(onLateFailure: (error: KeelsonError) => void) {
    this.#onLateFailure = onLateFailure;
  }

  /** Whether ending it would find nothing to undo. */
  get empty(): boolean {
    return this.#undo === undefined || this.#undo.length === 0;
  }

  add<T extends Disposable | AsyncDisposable>(resource: T): T {
    const { [Symbol.asyncDispose]: later, [Symbol.dispose]: atOnce } = (resource ?? {}) as Partial<
      Disposable & AsyncDisposable
    >;
    const dispose = later ?? atOnce;
    requireFunction("Symbol.dispose of what is added to a scope", dispose);
    this.defer(() => dispose?.call(resource));
    return resource;
  }

  defer(undo: () => MaybePromise<void>): void {
    requireFunction("What a scope is to run", undo);
    if (this.#ended === undefined) (this.#undo ??= []).push(undo);
    else void attempt(undo).then((error) => error && this.#onLateFailure(error));
  }

  /** Undoes everything; answers what failed. A second call joins the first. */
  end(): Promise<readonly KeelsonError[]> {
    this.#ended ??= this.#run();
    return this.#ended;
  }

  async #run(): Promise<readonly KeelsonError[]> {
    const errors: KeelsonError[] = [];
    for (let undo = this.#undo?.pop(); undo !== undefined; undo = this.#undo?.pop()) {
      const error = await attempt(undo);
      if (error !== undefined) errors.push(error);
    }
    return errors;
  }
}

async function attempt(undo: () => MaybePromise<void>): Promise<KeelsonError | undefined> {
  try {
    await undo();
    return undefined;
  } catch (error) {
    return asKeelsonError(error, "MODULE_FAILED", "A resource could not be released");
  }
}
