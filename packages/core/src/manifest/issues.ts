import type { z } from "zod";
import { knownKeys } from "./schema.ts";
import { suggest } from "../primitives/suggest.ts";
import { given } from "../primitives/given.ts";

/** One thing that is wrong with a manifest. */
export interface ManifestIssue {
  /** Where, such as `limits.memory` or `hooks[0].name`; empty for the whole. */
  readonly path: string;
  readonly message: string;
  /** What to do about it, if there is a good guess. */
  readonly hint?: string;
  /** The line of the file, counted from 1, if it came as text. */
  readonly line?: number;
}

type Path = readonly PropertyKey[];

/** An issue of zod's, or one of our own that has no more than a path and a text. */
type FoundIssue =
  | z.core.$ZodIssue
  | { readonly code: "custom"; readonly path: Path; readonly message: string; readonly params?: undefined };

/** The issues of a manifest in the order of its lines; `value` is what was checked. */
export function toIssues(
  found: readonly FoundIssue[],
  value: unknown,
  lineOf: (container: object, key: string | number) => number | undefined,
): ManifestIssue[] {
  const issues = found.flatMap((issue): ManifestIssue[] => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => {
        const hint = keyHint(issue.path, key);
        return made([...issue.path, key], `unknown key \`${shorten(key)}\``, hint);
      });
    }
    if (isMissing(issue, value)) return [made(issue.path, "is missing")];
    return [made(issue.path, issue.message, hintOf(issue, value))];
  });
  return issues.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));

  function made(path: Path, message: string, hint?: string): ManifestIssue {
    const line = lineAt(path, value, lineOf);
    return {
      path: showPath(path),
      message,
      ...given({ hint, line }),
    };
  }
}

/** A path as people write it: `hooks[0].name`. */
export function showPath(path: Path): string {
  let text = "";
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`;
    else if (/^[\w$-]+$/.test(String(key))) text += text === "" ? String(key) : `.${String(key)}`;
    else text += `[${JSON.stringify(shorten(String(key)))}]`;
  }
  return text;
}

function isMissing(issue: FoundIssue, value: unknown): boolean {
  const shape = ["invalid_type", "invalid_value", "invalid_union"];
  return shape.includes(issue.code) && valueAt(issue.path, value) === undefined;
}

function hintOf(issue: FoundIssue, value: unknown): string | undefined {
  if (issue.code === "custom") return issue.params?.["hint"] as string | undefined;
  if (issue.code !== "invalid_value") return undefined;
  const near = suggest(
    valueAt(issue.path, value),
    issue.values.filter((one) => typeof one === "string"),
  );
  return near === undefined ? undefined : `did you mean \`${near}\`?`;
}

/** A known key of that place that looks like `key`; or one of another place, that may have slipped out of it. */
function keyHint(path: Path, key: string): string | undefined {
  const place = placeOf(path);
  const near = suggest(key, knownKeys.get(place) ?? []);
  if (near !== undefined) return `did you mean \`${near}\`?`;
  for (const [other, keys] of knownKeys) {
    if (keys.includes(key)) {
      return other === ""
        ? `\`${key}\` belongs to the top of the manifest`
        : `did you mean \`${other}.${key}\`?`;
    }
  }
  // Both at once, out of its place and mistyped, happens to limits.
  const limit = place === "" ? suggest(key, knownKeys.get("limits") ?? []) : undefined;
  return limit === undefined ? undefined : `did you mean \`limits.${limit}\`?`;
}

function placeOf(path: Path): string {
  return path
    .map((key, index) => (typeof key === "number" ? "[]" : `${index === 0 ? "" : "."}${String(key)}`))
    .join("");
}

function valueAt(path: Path, value: unknown): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}

/** The line of the last part of the path that is there. */
function lineAt(
  path: Path,
  value: unknown,
  lineOf: (container: object, key: string | number) => number | undefined,
): number | undefined {
  let line: number | undefined;
  let at = value;
  for (const key of path) {
    const here = lineOf(at as object, key as string);
    if (here === undefined) break;
    line = here;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return line;
}

function shorten(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}
