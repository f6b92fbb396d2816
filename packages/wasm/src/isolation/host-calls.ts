import {
  isKeelsonError,
  KeelsonError,
  type Bytes,
  type Call,
  type Clock,
  type Log,
  type Value,
} from "@keelson/core";
import type { ModuleShape } from "../abi/profile.ts";
import type { FunctionType, ValueType } from "../binary/outline.ts";
import type { GuestHost } from "../instance/guest-host.ts";
import { hostImport, type HostImports } from "../instance/link.ts";
import { isPromise, type HostFunction } from "../suspension/host-functions.ts";
import { isSuspending } from "../suspension/suspending.ts";
import { BrokenMessage } from "./codec.ts";
import {
  readHostCall,
  writeHostThrown,
  writeHostValue,
  writeOver,
  type OverCode,
  type Provided,
} from "./host-messages.ts";
import type { Line } from "./line.ts";

/** What an instance's host functions need of its generation. */
export interface HostCallsOptions {
  readonly id: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly shape: ModuleShape;
  readonly imports: HostImports;
  /** Whether the guest's side may make another instance after an answer, with calls of the host of its own. */
  readonly fresh: boolean;
}

interface Target {
  readonly run: HostFunction;
  readonly type: FunctionType | undefined;
  /** Whether it may answer with a promise. */
  readonly waits: boolean;
}

/**
 * The host functions of one instance that is elsewhere: they run here, one at a time, while its side waits. A function marked by
 * `suspending` is waited for as any other, so no guest has to be suspended.
 */
export class HostCalls {
  /** What to tell the guest's side that makes the instance. */
  readonly provided: readonly Provided[];
  /** What the last one that failed threw. */
  thrown: unknown;
  readonly #options: HostCallsOptions;
  #targets: ReadonlyMap<number, Target>;
  /** Whether the guest runs, and so may call. */
  #expected = true;
  readonly #host: GuestHost;
  /** The line to answer on, while the guest waits. */
  #open: Line | undefined;
  #count = 0;

  /** @throws KeelsonError `WASM_LINK` for an import of another kind or an async function without a mark, `UNSUPPORTED` for what cannot be had elsewhere */
  constructor(options: HostCallsOptions) {
    const { id, log, clock } = options;
    this.#options = options;
    this.#host = {
      id,
      log,
      wall: () => clock.wall(),
      get memory(): never {
        throw beyondReach(id);
      },
      call: undefined,
      entered: false,
      broken: false,
      panic: undefined,
    };
    const { provided, targets } = linked(options, this.#host);
    this.provided = provided;
    this.#targets = targets;
  }

  /** The guest is called now. */
  begin(call: Call): void {
    this.#host.call = call;
    this.#expected = true;
  }

  /** The guest has answered: what is its own from now on belongs to the next call. */
  answered(): void {
    const { fresh, imports } = this.#options;
    if (fresh && this.#host.call !== undefined && typeof imports === "function")
      this.#targets = linked(this.#options, this.#host).targets;
    this.#host.call = undefined;
    this.#expected = false;
  }

  /**
   * Runs what the guest asks for, and answers.
   * @throws BrokenMessage for what no guest's side of ours asks
   */
  serve(message: Bytes, line: Line): void {
    const { index, args } = readHostCall(message, line.head);
    const target = this.#targets.get(index);
    if (target === undefined || this.#open !== undefined)
      throw new BrokenMessage("a call of no host function");
    if (!this.#expected && !this.#options.fresh)
      throw new BrokenMessage("a host function is called outside of any call");
    if (!fitAll(target.type, args)) throw new BrokenMessage("a host function is called with wrong arguments");
    const { clock } = this.#options;
    const count = ++this.#count;
    this.#open = line;
    const answer = (message: () => Bytes): void => {
      // It may have been given up, and the next one come.
      if (this.#open === undefined || this.#count !== count) return;
      const made = message();
      this.#open = undefined;
      line.answer(made);
    };
    const started = clock.now();
    let hostMs: number;
    const fail = (thrown: unknown): void =>
      answer(() => {
        this.thrown = thrown;
        return writeHostThrown(thrown, hostMs, line.head);
      });
    const succeed = (value: unknown): void => {
      try {
        const number = toWasm(value, target.type?.results);
        answer(() => writeHostValue(number, hostMs, line.head));
      } catch (error) {
        fail(error);
      }
    };
    let value: unknown;
    let later: boolean;
    try {
      value = target.run(...args);
      later = target.waits && isPromise(value);
    } catch (error) {
      hostMs = clock.now() - started;
      return fail(error);
    }
    hostMs = clock.now() - started;
    // Not its own `then`, which may throw, also a promise's: nobody would catch that here.
    if (later) void new Promise((resolve) => resolve(value)).then(succeed, fail);
    else succeed(value);
  }

  /** Ends the guest's wait, if it waits: it is to stop. */
  giveUp(code: OverCode): boolean {
    const line = this.#open;
    if (line === undefined) return false;
    this.#open = undefined;
    line.answer(writeOver(code, line.head));
    return true;
  }

  /** The error of a call as it would be if the guest were here: with what its host threw, not a likeness. */
  original(error: KeelsonError): KeelsonError {
    const { thrown } = this;
    if (isKeelsonError(thrown, error.code)) return thrown;
    const { code, hint, message, details } = error;
    const text = hint === undefined ? message : message.slice(0, -`\n  hint: ${hint}`.length);
    return new KeelsonError(code, text, {
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined ? {} : { details }),
      cause: thrown,
    });
  }
}

/** What the host provides of what the module wants. */
function linked(
  { id, shape, imports }: HostCallsOptions,
  host: GuestHost,
): { readonly provided: readonly Provided[]; readonly targets: ReadonlyMap<number, Target> } {
  const own = typeof imports === "function" ? imports(host) : imports;
  const provided: Provided[] = [];
  const targets = new Map<number, Target>();
  for (const [index, wanted] of shape.imports.entries()) {
    const value = hostImport(own, wanted, shape, id);
    if (value === undefined) continue;
    const name = `${wanted.module}.${wanted.name}`;
    if (typeof value === "number" || typeof value === "bigint") provided.push({ index, value });
    else if (typeof value !== "function") throw stays(id, wanted.kind, name);
    else {
      const type = shape.outline?.imports.get(name);
      if (type !== undefined && [...type.params, ...type.results].includes("other"))
        throw noReferences(id, name);
      targets.set(index, { run: value as unknown as HostFunction, type, waits: isSuspending(value) });
      provided.push({ index, value: undefined });
    }
  }
  return { provided, targets };
}

/** Whether arguments are what a function of this type gets. The guest's side is not believed. */
function fitAll(type: FunctionType | undefined, args: readonly (number | bigint)[]): boolean {
  if (type === undefined) return true;
  return (
    args.length === type.params.length &&
    type.params.every((one, at) => typeof args[at] === (one === "i64" ? "bigint" : "number"))
  );
}

/** What JavaScript answered as WebAssembly takes it, by the rules of its JavaScript interface; throws the TypeError that linking would have thrown. */
function toWasm(value: unknown, results: readonly ValueType[] | undefined): Value {
  if (results === undefined) return number(value, undefined);
  const [first] = results;
  if (first === undefined) return undefined;
  if (results.length === 1) return number(value, first);
  const values = [...(value as Iterable<unknown>)];
  if (values.length !== results.length)
    throw new TypeError(`the host function answered ${values.length} values instead of ${results.length}`);
  return values.map((one, at) => number(one, results[at]));
}

function number(value: unknown, type: ValueType | undefined): number | bigint {
  if (type === "i64" || (type === undefined && typeof value === "bigint")) {
    const cell = new BigInt64Array(1);
    cell[0] = value as bigint;
    return cell[0];
  }
  return type === "i32" ? (value as number) | 0 : +(value as number);
}

function beyondReach(id: string): KeelsonError {
  return new KeelsonError(
    "UNSUPPORTED",
    `${id}: the memory of an isolated guest is out of its host's reach`,
    {
      hint: 'pass numbers to host functions and data as the payload and the answer of calls, or use isolation: "inline"',
      details: { module: id },
    },
  );
}

function noReferences(id: string, name: string): KeelsonError {
  return new KeelsonError(
    "UNSUPPORTED",
    `${id}: ${name} takes or answers references or vectors, which cannot leave a guest's thread`,
    {
      hint: 'let host functions of isolated guests take and answer numbers, or use isolation: "inline"',
      details: { module: id, import: name },
    },
  );
}

function stays(id: string, kind: string, name: string): KeelsonError {
  return new KeelsonError("UNSUPPORTED", `${id}: the ${kind} ${name} cannot leave the host's thread`, {
    hint: 'give isolated guests functions, and plain numbers for globals, or use isolation: "inline"',
    details: { module: id, import: name, kind },
  });
}
