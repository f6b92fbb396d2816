import { KeelsonError } from "@keelson/core";

/** @throws KeelsonError `INVALID_OPTIONS` unless `given`, of which messages speak as `what`, has all of `parts`, each of its type */
export function requireParts(
  what: string,
  given: unknown,
  parts: Readonly<Record<string, "function" | "object">>,
): void {
  const has = (given ?? {}) as Readonly<Record<string, unknown>>;
  for (const [name, type] of Object.entries(parts)) {
    if (typeof has[name] === type && has[name] !== null) continue;
    throw new KeelsonError("INVALID_OPTIONS", `${what} needs ${name}`, {
      hint: `give one, ${type === "function" ? "a function" : "an object"}; see the types of @keelson/node-compat`,
    });
  }
}
