import type { KeelsonError } from "../contract/errors.ts";
import type { HistogramOptions, Labels } from "../contract/metrics.ts";
import { invalidOptions, isObject, requireOptions, shown } from "../primitives/invalid-options.ts";

/** The kinds of metric family that Keelson writes. */
export type FamilyType = "counter" | "gauge" | "histogram";

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const UNIT = /^[a-zA-Z0-9_]+$/;

/** The sample names that a family of this type may write, by their suffixes. */
const SUFFIXES: Readonly<Record<FamilyType, readonly string[]>> = {
  counter: ["", "_total", "_created"],
  gauge: [""],
  histogram: ["", "_bucket", "_sum", "_count", "_created"],
};

/** All names that a family takes for itself: no other family may write or be called one of them. */
export function claimedNames(type: FamilyType, family: string): readonly string[] {
  return SUFFIXES[type].map((suffix) => family + suffix);
}

/**
 * The family's name for the name an instrument was asked for by: a counter may be asked for with its `_total` or without.
 * @throws KeelsonError `INVALID_OPTIONS` when the name, the unit or the help text is not well formed
 */
export function familyName(type: FamilyType, name: string, options: HistogramOptions): string {
  if (typeof name !== "string" || !METRIC_NAME.test(name)) {
    throw invalidMetric(
      `${shown(name)} is not a metric name: letters, digits, "_" and ":", not beginning with a digit`,
    );
  }
  const family = type === "counter" && name.endsWith("_total") ? name.slice(0, -"_total".length) : name;
  if (family === "") throw invalidMetric(`${shown(name)} leaves no name for the counter`);
  requireOptions("metric", options, { help: true, unit: true, buckets: true });
  if (typeof options?.help !== "string") throw invalidMetric(`the metric ${name} needs a help text`);
  const { unit } = options;
  if (unit !== undefined && (typeof unit !== "string" || !UNIT.test(unit) || !family.endsWith(`_${unit}`))) {
    throw invalidMetric(
      `the metric ${name} has the unit ${shown(unit)}, which must end its name behind a "_"`,
    );
  }
  return family;
}

/**
 * Joins what a scope adds with what was asked for. An empty value means the same as no label, and is left out.
 * @throws KeelsonError `INVALID_OPTIONS` for a label that is not well formed, reserved, or set by the scope to something else
 */
export function joinLabels(type: FamilyType | undefined, fixed: Labels, own?: Labels): Labels {
  const joined: Record<string, string> = { ...fixed };
  if (own != null && !isObject(own)) throw invalidMetric(`labels are an object, not ${shown(own)}`);
  for (const [name, value] of Object.entries(own ?? {})) {
    if (!LABEL_NAME.test(name) || name.startsWith("__")) {
      throw invalidMetric(
        `${shown(name)} is not a label name: letters, digits and "_", not beginning with a digit or "__"`,
      );
    }
    if (typeof value !== "string")
      throw invalidMetric(`the label ${name} needs a string, not ${shown(value)}`);
    const text = value.toWellFormed();
    if (Object.hasOwn(fixed, name) && fixed[name] !== text) {
      throw invalidMetric(
        `the label ${name} is set to ${shown(fixed[name])} by the scope and cannot be changed`,
      );
    }
    if (text !== "") joined[name] = text;
  }
  if (type === "histogram" && Object.hasOwn(joined, "le")) {
    throw invalidMetric(`a histogram writes the label "le" itself`);
  }
  return joined;
}

/** Labels as they stand between the braces of a sample, sorted by name: also the key of a series within its family. */
export function writeLabels(labels: Labels): string {
  return Object.keys(labels)
    .toSorted()
    .map((name) => `${name}="${escapeText(labels[name] as string)}"`)
    .join(",");
}

/** A text with backslash, line feed and double quote escaped, as OpenMetrics has it for label values and help alike. */
export function escapeText(text: string): string {
  return text.replace(/[\\\n"]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`));
}

/** The error for a metric that cannot be made as it was asked for. */
export function invalidMetric(message: string): KeelsonError {
  return invalidOptions(message, "see InstrumentOptions; names and labels are those of OpenMetrics");
}
