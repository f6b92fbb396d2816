/** One sample line. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One family as it was read. */
export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly unit: string | undefined;
  readonly help: string | undefined;
  readonly samples: readonly Sample[];
}

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const REAL_NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const SUFFIXES: Record<string, readonly string[]> = {
  counter: ["_total", "_created"],
  gauge: [""],
  histogram: ["_bucket", "_count", "_sum", "_created"],
};

/**
 * Reads OpenMetrics 1.0 text and refuses whatever the specification does not allow for the types that Keelson writes: a
 * reader made for tests, far stricter than scrapers are.
 */
export function parseOpenMetrics(text: string): readonly ParsedFamily[] {
  if (!text.endsWith("\n")) throw new Error("the text must end with a line feed");
  if (!text.isWellFormed()) throw new Error("the text holds half a surrogate pair: it is not UTF-8");
  const lines = text.slice(0, -1).split("\n");
  if (lines.pop() !== "# EOF") throw new Error("the last line must be # EOF");
  const families: { name: string; type: string; unit?: string; help?: string; samples: Sample[] }[] = [];
  const taken = new Map<string, string>();
  for (const line of lines) {
    if (line === "" || line === "# EOF") throw new Error(`stray line ${JSON.stringify(line)}`);
    if (line.startsWith("#")) {
      const match = /^# (TYPE|UNIT|HELP) (\S+) (.*)$/su.exec(line);
      if (match === null) throw new Error(`malformed descriptor ${JSON.stringify(line)}`);
      const [, keyword, name, rest] = match as unknown as [string, string, string, string];
      if (!METRIC_NAME.test(name)) throw new Error(`bad family name ${name}`);
      if (keyword === "TYPE") {
        const suffixes = SUFFIXES[rest];
        if (suffixes === undefined) throw new Error(`unknown type ${rest}`);
        for (const claimed of [name, ...suffixes.map((suffix) => name + suffix)]) {
          const other = taken.get(claimed);
          if (other !== undefined && other !== name)
            throw new Error(`${claimed} belongs to ${other} and ${name}`);
          if (other === name && claimed === name && families.some((family) => family.name === name)) {
            throw new Error(`family ${name} comes twice`);
          }
          taken.set(claimed, name);
        }
        families.push({ name, type: rest, samples: [] });
        continue;
      }
      const family = families.at(-1);
      if (family?.name !== name) throw new Error(`${keyword} of ${name} stands outside its family`);
      if (family.samples.length > 0) throw new Error(`${keyword} of ${name} comes after its samples`);
      if (keyword === "UNIT") {
        if (family.unit !== undefined || family.help !== undefined)
          throw new Error("UNIT twice or behind HELP");
        if (!name.endsWith(`_${rest}`)) throw new Error(`${name} does not end with its unit ${rest}`);
        family.unit = rest;
      } else {
        if (family.help !== undefined) throw new Error("HELP twice");
        family.help = unescape(rest);
      }
      continue;
    }
    const family = families.at(-1);
    if (family === undefined) throw new Error("a sample before any family");
    const sample = parseSample(line);
    if (!(SUFFIXES[family.type] as string[]).some((suffix) => sample.name === family.name + suffix)) {
      throw new Error(`${sample.name} is no sample of the ${family.type} ${family.name}`);
    }
    family.samples.push(sample);
  }
  for (const family of families) checkFamily(family);
  return families.map(({ name, type, unit, help, samples }) => ({ name, type, unit, help, samples }));
}

function parseSample(line: string): Sample {
  const name = /^[^\s{]+/u.exec(line)?.[0] ?? "";
  if (!METRIC_NAME.test(name)) throw new Error(`bad sample name in ${JSON.stringify(line)}`);
  let at = name.length;
  const labels: Record<string, string> = {};
  if (line[at] === "{") {
    at++;
    for (;;) {
      const equals = line.indexOf("=", at);
      const label = line.slice(at, equals);
      if (equals < 0 || !LABEL_NAME.test(label)) throw new Error(`bad label name ${JSON.stringify(label)}`);
      if (label.startsWith("__")) throw new Error(`reserved label name ${label}`);
      if (Object.hasOwn(labels, label)) throw new Error(`label ${label} twice`);
      if (line[equals + 1] !== '"') throw new Error("a label value must be quoted");
      let end = equals + 2;
      while (end < line.length && line[end] !== '"') end += line[end] === "\\" ? 2 : 1;
      if (line[end] !== '"') throw new Error("a label value has no end");
      labels[label] = unescape(line.slice(equals + 2, end));
      at = end + 1;
      if (line[at] === "}") break;
      if (line[at] !== ",") throw new Error("labels must be parted by a comma");
      at++;
    }
    at++;
  }
  if (line[at] !== " ") throw new Error(`a space must stand before the value in ${JSON.stringify(line)}`);
  return { name, labels, value: parseNumber(line.slice(at + 1)) };
}

function parseNumber(text: string): number {
  if (text === "+Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  if (text === "NaN") return NaN;
  if (!REAL_NUMBER.test(text)) throw new Error(`not a number: ${JSON.stringify(text)}`);
  return Number(text);
}

/** Undoes the three escapes there are; anything else behind a backslash, or a bare quote, is an error. */
function unescape(text: string): string {
  let plain = "";
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string;
    if (char === '"') throw new Error("a bare double quote");
    if (char !== "\\") {
      plain += char;
      continue;
    }
    const next = text[++at];
    if (next === "n") plain += "\n";
    else if (next === "\\" || next === '"') plain += next;
    else throw new Error(`unknown escape \\${next ?? ""}`);
  }
  return plain;
}

function checkFamily(family: { name: string; type: string; samples: readonly Sample[] }): void {
  if (family.samples.length === 0) throw new Error(`${family.name} has no samples`);
  const seen = new Set<string>();
  for (const { name, labels, value } of family.samples) {
    const key = JSON.stringify([name, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
    if (seen.has(key)) throw new Error(`the sample ${key} comes twice`);
    seen.add(key);
    if (family.type !== "gauge" && !(value >= 0)) throw new Error(`${name} is ${value}`);
  }
  if (family.type === "histogram") checkHistogram(family);
}

function checkHistogram({ name, samples }: { name: string; samples: readonly Sample[] }): void {
  const points = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _le, ...rest } = sample.labels;
    const key = JSON.stringify(Object.entries(rest));
    // Points must not be interleaved: a key may only be continued while it is the last.
    if (points.has(key) && [...points.keys()].at(-1) !== key)
      throw new Error(`points of ${name} are interleaved`);
    points.set(key, [...(points.get(key) ?? []), sample]);
  }
  for (const point of points.values()) {
    const buckets = point.filter((sample) => sample.name === `${name}_bucket`);
    let bound = -Infinity;
    let below = 0;
    for (const { labels, value } of buckets) {
      const text = labels["le"] ?? "";
      if (text !== "+Inf" && !/[.e]/u.test(text)) throw new Error(`le="${text}" is not canonical`);
      const le = parseNumber(text);
      if (!(le > bound) || value < below) throw new Error(`buckets of ${name} do not ascend`);
      bound = le;
      below = value;
    }
    if (bound !== Infinity) throw new Error(`${name} has no +Inf bucket`);
    const count = point.find((sample) => sample.name === `${name}_count`);
    if (count?.value !== below) throw new Error(`${name}_count is not the +Inf bucket`);
    if (!point.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name}_sum is missing`);
  }
}
