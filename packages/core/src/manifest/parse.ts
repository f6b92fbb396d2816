import { KeelsonError } from "../contract/errors.ts";
import type { Manifest } from "../contract/manifest.ts";
import { type ManifestIssue, showPath, toIssues } from "./issues.ts";
import { readJson } from "./json.ts";
import { kindFaults } from "./kinds.ts";
import { copyPlain } from "./plain.ts";
import { checkSchema } from "./schema.ts";
import { isObject, requireOptions } from "../primitives/invalid-options.ts";

/** Options of {@link parseManifest}. */
export interface ParseManifestOptions {
  /** What the manifest is called in messages, such as the path of its file. Default "The manifest". */
  readonly source?: string;
}

/** Larger manifests are refused unread, bytes. */
const MAX_BYTES = 2 ** 20;
/** Issues listed; the rest is only counted. */
const MAX_ISSUES = 100;

/**
 * Checks a manifest and gives it back as an immutable {@link Manifest}: defaults filled in, sizes in bytes, unknown keys refused.
 * @param input JSON as text or as UTF-8 bytes, or what was read from it
 * @throws KeelsonError `INVALID_MANIFEST`, whose message names all that is wrong; `details.issues` has it as {@link ManifestIssue}s
 */
export function parseManifest(input: unknown, options?: ParseManifestOptions): Manifest {
  requireOptions("parseManifest", options, { source: "string" });
  const { source = "The manifest" } = options ?? {};
  const { value, lineOf } = read(input, source);
  const checked = checkSchema(value);
  const faults = kindFaults(value);
  if ("data" in checked && faults.length === 0) {
    const { apiVersion, id, name = id, ...rest } = checked.data;
    return deepFreeze({ apiVersion, id, name, ...rest });
  }
  const found = "issues" in checked ? checked.issues : [];
  throw refusal(
    source,
    toIssues([...found, ...faults.map((fault) => ({ ...fault, code: "custom" as const }))], value, lineOf),
  );
}

type LineOf = (container: object, key: string | number) => number | undefined;

function read(input: unknown, source: string): { readonly value: unknown; readonly lineOf: LineOf } {
  if (typeof input === "string" || ArrayBuffer.isView(input)) {
    const read = readJson(decode(input, source));
    if ("value" in read) return read;
    const { message, line, column } = read;
    const issue = { path: "", message: `line ${line}, column ${column}: ${message}`, line };
    throw refusal(source, [issue], `${source} is not JSON`);
  }
  const copied = copyPlain(input);
  if ("value" in copied) return { value: copied.value, lineOf: () => undefined };
  throw refusal(source, [{ path: showPath(copied.path), message: copied.message }]);
}

function decode(input: string | ArrayBufferView, source: string): string {
  // A text of so many characters has at least so many bytes.
  const size = typeof input === "string" ? input.length : input.byteLength;
  requireSmall(size, source);
  if (typeof input === "string") return input.startsWith("\ufeff") ? input.slice(1) : input;
  try {
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    // A copy, since the bytes may lie in shared memory, which decoders refuse.
    return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(bytes));
  } catch {
    throw refusal(source, [{ path: "", message: "is not UTF-8" }], `${source} is not JSON`);
  }
}

/** Refuses a manifest of so many bytes before it is read: a file of any size costs its writer nothing. */
export function requireSmall(bytes: number, source: string): void {
  if (bytes > MAX_BYTES) throw refusal(source, [{ path: "", message: `is larger than ${MAX_BYTES} bytes` }]);
}

function refusal(
  source: string,
  issues: readonly ManifestIssue[],
  what = `${source} is not valid`,
): KeelsonError {
  const listed = issues.slice(0, MAX_ISSUES);
  const lines = listed.map(({ path, message, hint, line }) => {
    const place = line === undefined || path === "" ? path : `${path} (line ${line})`;
    return `\n  - ${place === "" ? "" : `${place}: `}${message}${hint === undefined ? "" : `: ${hint}`}`;
  });
  if (issues.length > listed.length) lines.push(`\n  - and ${issues.length - listed.length} more`);
  return new KeelsonError("INVALID_MANIFEST", `${what}:${lines.join("")}`, {
    hint: "docs/manifest.md lists all keys and what they may hold",
    details: { issues: listed },
  });
}

/** Freezes plain data all the way down. */
function deepFreeze<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (isObject(member)) deepFreeze(member);
  return Object.freeze(value);
}
