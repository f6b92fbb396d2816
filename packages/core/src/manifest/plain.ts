import { MAX_DEPTH } from "./json.ts";

/** Values in all that a manifest may hold. */
const MAX_VALUES = 100_000;

/** Why a value is not plain data. */
export interface PlainFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/**
 * A deep copy of plain data, as JSON could hold it: read once, so that getters and proxies cannot answer differently later. Keys whose value
 * is undefined are left out.
 */
export function copyPlain(input: unknown): { readonly value: unknown } | PlainFault {
  const path: (string | number)[] = [];
  let values = 0;
  const copy = (value: unknown): unknown => {
    if (++values > MAX_VALUES) throw new Refused(`holds more than ${MAX_VALUES} values`);
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number") {
      if (!Number.isFinite(value)) throw new Refused(`is ${value}`);
      return value;
    }
    if (typeof value !== "object")
      throw new Refused(value === undefined ? "is undefined" : `is a ${typeof value}`);
    if (path.length > MAX_DEPTH) throw new Refused(`is nested deeper than ${MAX_DEPTH} levels`);
    if (Array.isArray(value)) {
      if (value.length > MAX_VALUES) throw new Refused(`holds more than ${MAX_VALUES} values`);
      return Array.from({ length: value.length }, (_, index) => inside(index, value[index]));
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
      throw new Refused("is not a plain object");
    const result: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      if (key === "__proto__") throw new Refused(`has the key "__proto__", which is not allowed`);
      const member = (value as Record<string, unknown>)[key];
      if (member !== undefined) result[key] = inside(key, member);
    }
    return result;
  };
  const inside = (key: string | number, value: unknown): unknown => {
    path.push(key);
    const result = copy(value);
    path.pop();
    return result;
  };
  try {
    return { value: copy(input) };
  } catch (error) {
    return { path, message: error instanceof Refused ? error.message : "cannot be read" };
  }
}

class Refused extends Error {}
