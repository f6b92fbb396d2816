import type { Value } from "@keelson/core";
import { KeelsonError } from "@keelson/core/plain";
import { printType, type FunctionType, type ValueType } from "../binary/outline.ts";
import type { GuestHost } from "../instance/guest-host.ts";
import { abortImport } from "./abort.ts";
import {
  unknownMethod,
  type AbiProfile,
  type Binding,
  type Guest,
  type LaterBinding,
  type LaterGuest,
} from "./profile.ts";

type Numeric = number | bigint;
type Run = (...args: readonly Numeric[]) => unknown;

interface Target {
  readonly run: Run;
  readonly arity: number;
  /** Undefined when the types are unknown: then the engine judges. */
  readonly params: readonly ValueType[] | undefined;
  readonly type: FunctionType | undefined;
}

/**
 * The profile `raw`: any exported function, called by its name with plain numbers. The payload is a number, a bigint, an array of
 * them, or absent; the answer is a number, a bigint, an array for several results, or undefined for none. i64 takes and
 * gives bigint, the rest number. A wrong count or kind of arguments is `INVALID_PAYLOAD` and does not reach the guest.
 */
export const raw: AbiProfile = {
  name: "raw",
  matches: (shape) => [...shape.exports.values()].includes("function"),
  requires: [],
  imports: (host) => ({ env: { abort: abortImport(host) } }),
  bind: (guest) => new RawBinding(guest),
  bindLater: (guest) => new RawLaterBinding(guest),
};

class RawBinding implements Binding {
  readonly #targets: ReadonlyMap<string, Target>;
  readonly #host: GuestHost;
  /** The method called last, and what it is: most callers stay with one. */
  #method: string | undefined;
  #target: Target | undefined;

  constructor(guest: Guest) {
    this.#host = guest.host;
    this.#targets = targetsOf(guest);
  }

  call(method: string, payload: Value): Value {
    const host = this.#host;
    const target = method === this.#method ? this.#target : this.#find(method);
    if (target === undefined) throw unknownMethod(host.id, method, [...this.#targets.keys()]);
    // Two small functions of which a caller uses one: so the engine compiles it into this one, and this one into its caller.
    const result = Array.isArray(payload)
      ? this.#spread(target, method, payload)
      : this.#single(target, method, payload);
    host.entered = false;
    return typeof result === "number" ? result : several(host, method, result);
  }

  #find(method: string): Target | undefined {
    this.#method = method;
    this.#target = this.#targets.get(method);
    return this.#target;
  }

  #spread(target: Target, method: string, args: readonly Numeric[]): unknown {
    const { run, params } = target;
    if (args.length !== target.arity || !fitAll(params, args)) throw misfit(this.#host, method, target, args);
    this.#host.entered = true;
    if (params === undefined) return this.#runUntyped(target, method, args);
    return args.length === 2 ? run(args[0] as Numeric, args[1] as Numeric) : run(...args);
  }

  #single(target: Target, method: string, payload: Value): unknown {
    const { run, params, arity } = target;
    if (arity !== (payload === undefined ? 0 : 1) || (arity === 1 && !fits(params?.[0], payload)))
      throw misfit(this.#host, method, target, payload);
    this.#host.entered = true;
    if (arity === 0) return run();
    return params === undefined
      ? this.#runUntyped(target, method, [payload as Numeric])
      : run(payload as Numeric);
  }

  /** Without types the engine finds out that a number should have been a bigint, by a TypeError before anything runs. */
  #runUntyped(target: Target, method: string, args: readonly Numeric[]): unknown {
    try {
      return target.run(...args);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      // A host function may have thrown it as well, so the guest is not trusted to be whole.
      this.#host.broken = true;
      this.#host.entered = false;
      throw misfit(this.#host, method, target, args, error);
    }
  }
}

/** The same for a guest that may be suspended. */
class RawLaterBinding implements LaterBinding {
  readonly #targets = new Map<
    string,
    Target & { readonly later: (...args: Numeric[]) => Promise<unknown> }
  >();
  readonly #host: GuestHost;

  constructor(guest: LaterGuest) {
    this.#host = guest.host;
    for (const [name, target] of targetsOf(guest)) {
      this.#targets.set(name, { ...target, later: guest.later(target.run) });
    }
  }

  async call(method: string, payload: Value): Promise<Value> {
    const host = this.#host;
    const target = this.#targets.get(method);
    if (target === undefined) throw unknownMethod(host.id, method, [...this.#targets.keys()]);
    const args: readonly unknown[] =
      payload === undefined ? [] : Array.isArray(payload) ? payload : [payload];
    if (args.length !== target.arity || !fitAll(target.params, args))
      throw misfit(host, method, target, payload);
    host.entered = true;
    const result = await target.later(...(args as Numeric[]));
    host.entered = false;
    return several(host, method, result);
  }
}

function targetsOf({ exports, shape }: Guest): Map<string, Target> {
  const targets = new Map<string, Target>();
  for (const [name, kind] of shape.exports) {
    if (kind !== "function") continue;
    const run = exports[name] as Run;
    const type = shape.outline?.exports.get(name);
    targets.set(name, { run, arity: run.length, params: type?.params, type });
  }
  return targets;
}

function several(host: GuestHost, method: string, result: unknown): Value {
  if (typeof result === "number" || result === undefined || typeof result === "bigint") return result;
  if (Array.isArray(result) && result.every((part) => typeof part === "number" || typeof part === "bigint"))
    return result;
  throw new KeelsonError(
    "INVALID_PAYLOAD",
    `${host.id}: ${method} answered with a reference, which cannot leave the guest`,
    {
      hint: "raw calls carry numbers and bigints; use a profile with memory for anything else",
    },
  );
}

function misfit(
  host: GuestHost,
  method: string,
  target: Target,
  payload: Value,
  cause?: unknown,
): KeelsonError {
  const { type, arity } = target;
  const wants = type === undefined ? `${arity} numbers or bigints` : printType(type);
  const given = Array.isArray(payload) ? `[${payload.map(kindOf).join(", ")}]` : kindOf(payload);
  return new KeelsonError("INVALID_PAYLOAD", `${host.id}: ${method} takes ${wants}; it was given ${given}`, {
    hint: "one argument as it is, several as an array, none as undefined; i64 takes a bigint, i32 a whole number of 32 bits",
    details: { method, arity, ...(type === undefined ? {} : { params: type.params }) },
    ...(cause === undefined ? {} : { cause }),
  });
}

function fitAll(params: readonly ValueType[] | undefined, args: readonly unknown[]): boolean {
  for (let at = 0; at < args.length; at++) if (!fits(params?.[at], args[at])) return false;
  return true;
}

function fits(type: ValueType | undefined, value: unknown): boolean {
  if (type === "i32") return typeof value === "number" && ((value | 0) === value || value >>> 0 === value);
  if (type === "f64" || type === "f32") return typeof value === "number";
  if (type === "i64")
    return typeof value === "bigint" && value >= -0x8000000000000000n && value <= 0xffffffffffffffffn;
  return type === undefined && (typeof value === "number" || typeof value === "bigint");
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "number" ? `number ${value}` : Array.isArray(value) ? "array" : typeof value;
}
