import type { Families, Family, Series } from "./families.ts";
import type { BoundHistogram } from "./instruments.ts";

/** The media type of the text, for the `content-type` header of a scrape. */
export const openMetricsContentType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** Writes all families as OpenMetrics 1.0 text, `# EOF` included. */
export function writeOpenMetrics(families: Families): string {
  let text = "";
  for (const family of families) text += writeFamily(family);
  return `${text}# EOF\n`;
}

function writeFamily(family: Family): string {
  const { name, type, unit, help } = family;
  let text = "";
  for (const series of family.series.values()) {
    if (type === "histogram")
      text += writeHistogram(name, series.labels, (series as Series<"histogram">).instrument);
    else
      text += writeValue(
        type === "counter" ? `${name}_total` : name,
        series as Series<"counter" | "gauge">,
        type,
      );
  }
  // A family whose every sample failed to be read is left out whole.
  if (text === "") return "";
  let head = `# TYPE ${name} ${type}\n`;
  if (unit !== undefined) head += `# UNIT ${name} ${unit}\n`;
  if (help !== "") head += `# HELP ${name} ${help}\n`;
  return head + text;
}

function writeValue(sample: string, series: Series<"counter" | "gauge">, type: string): string {
  let { value } = series.instrument;
  for (const observer of series.observers) {
    const read = readSample(observer);
    if (read === undefined) return "";
    value += read;
  }
  // A counter must be a number that is not negative; better no sample than a text that no scraper takes.
  if (type === "counter" && !(value >= 0)) return "";
  const braces = series.labels === "" ? "" : `{${series.labels}}`;
  return `${sample}${braces} ${writeNumber(value)}\n`;
}

/** What the observer says; undefined when it throws or gives no number, so that one fault never spoils a scrape. */
export function readSample(observer: () => number): number | undefined {
  try {
    const value = observer();
    return typeof value === "number" ? value : undefined;
  } catch {
    return undefined;
  }
}

function writeHistogram(name: string, labels: string, histogram: BoundHistogram): string {
  const before = labels === "" ? "" : `${labels},`;
  const braces = labels === "" ? "" : `{${labels}}`;
  const { bounds, counts } = histogram;
  let text = "";
  let below = 0;
  for (let at = 0; at < bounds.length; at++) {
    below += counts[at] as number;
    text += `${name}_bucket{${before}le="${writeBound(bounds[at] as number)}"} ${below}\n`;
  }
  text += `${name}_count${braces} ${histogram.count}\n`;
  return `${text}${name}_sum${braces} ${writeNumber(histogram.sum)}\n`;
}

function writeNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  return String(value);
}

/**
 * A bound in the canonical form of the OpenMetrics text: always with a point or an exponent, exponents with a sign and two
 * digits, from 1e+06 up and below 0.0001 down. Scrapers compare these as text.
 */
export function writeBound(value: number): string {
  if (value === Infinity) return "+Inf";
  const [digits = "", exponent = "0"] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 6) {
    return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  const plain = String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}
