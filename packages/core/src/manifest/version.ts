import parse from "semver/functions/parse.js";
import semverSatisfies from "semver/functions/satisfies.js";
import validRange from "semver/ranges/valid.js";

/** What a module's id is, in words. */
export const MODULE_ID_RULE =
  "1 to 64 of a-z, 0-9, -, _ and ., beginning with a letter or digit, and not kernel or host";
/** On the bus and in metrics the two names stand for the kernel and the host: a module of that id would speak as they do. */
const MODULE_ID = /^(?!(?:kernel|host)$)[a-z0-9][a-z0-9._-]{0,63}$/;

/** Whether `value` can be a module's id: 1 to 64 of a–z, 0–9, `-`, `_` and `.`, beginning with a letter or digit, and neither `kernel` nor `host`. */
export function isModuleId(value: unknown): value is string {
  return typeof value === "string" && MODULE_ID.test(value);
}

/** Three short numbers: what most versions are, told without taking them apart. */
const PLAIN_VERSION = /^(?:0|[1-9]\d{0,14})\.(?:0|[1-9]\d{0,14})\.(?:0|[1-9]\d{0,14})$/;

/** Whether `value` is a semantic version to the letter: `1.2.3`, `1.2.3-beta.1`, `1.2.3+build`; no `v` before it. */
export function isVersion(value: unknown): value is string {
  if (typeof value === "string" && PLAIN_VERSION.test(value)) return true;
  return typeof value === "string" && /^\d/.test(value) && value.trim() === value && parse(value) !== null;
}

/** Whether `value` is a range of semantic versions, such as `^1.2.0`, `>=1 <3` or `*`. */
export function isRange(value: unknown): value is string {
  if (value === "*") return true;
  return (
    typeof value === "string" && value.length <= 256 && value.trim() !== "" && validRange(value) !== null
  );
}

/**
 * Whether a version lies in a range, by the rules of npm: a pre-release only fits a range that names a pre-release of the same
 * version. `*` alone fits everything, pre-releases included. What is no version or no range fits nothing.
 */
export function satisfies(version: string, range: string): boolean {
  if (typeof range === "string" && range.trim() === "*") return isVersion(version);
  return isVersion(version) && semverSatisfies(version, range);
}
