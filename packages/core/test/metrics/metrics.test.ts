import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Labels } from "../../src/contract/metrics.ts";
import { createMetrics } from "../../src/metrics/index.ts";
import { parseOpenMetrics } from "./openmetrics-parser.ts";

const help = { help: "Things." };
const INVALID: Error = expect.objectContaining({ code: "INVALID_OPTIONS" });

describe("instruments", () => {
  test("a counter grows by one or by what it is told, and never shrinks", () => {
    const counter = createMetrics().counter("things", help);
    counter.add();
    counter.add(2.5);
    expect(counter.value).toBe(3.5);
    for (const by of [-1, NaN, Infinity, "5", null, {}, Symbol("s")] as number[])
      expect(() => counter.add(by)).toThrow(RangeError);
    expect(counter.value).toBe(3.5);
  });

  test("a gauge is set and moved both ways", () => {
    const gauge = createMetrics().gauge("size", help);
    gauge.set(10);
    gauge.add(-12);
    expect(gauge.value).toBe(-2);
    for (const other of ["5", null, undefined, {}, Symbol("s")] as never[]) {
      expect(() => gauge.set(other)).toThrow(RangeError);
      expect(() => gauge.add(other)).toThrow(RangeError);
    }
    expect(gauge.value).toBe(-2);
  });

  test("a histogram puts a value that equals a bound into that bucket", () => {
    const metrics = createMetrics();
    const histogram = metrics.histogram("wait_seconds", {
      help: "Wait.",
      unit: "seconds",
      buckets: [0.5, 1],
    });
    for (const value of [0.5, 0.500001, 1, 3]) histogram.observe(value);
    expect(histogram.count).toBe(4);
    expect(histogram.sum).toBeCloseTo(5.000001, 9);
    const [family] = parseOpenMetrics(metrics.text());
    const buckets = family?.samples.filter((sample) => sample.name === "wait_seconds_bucket");
    expect(buckets?.map((sample) => [sample.labels["le"], sample.value])).toEqual([
      ["0.5", 1],
      ["1.0", 3],
      ["+Inf", 4],
    ]);
    for (const value of [-1, NaN, Infinity, "soon", undefined] as number[])
      expect(() => histogram.observe(value)).toThrow(RangeError);
    for (const times of [-1, NaN, Infinity, "often"] as number[])
      expect(() => histogram.observe(1, times)).toThrow(RangeError);
  });

  test("one value may be observed many times over in one step", () => {
    const histogram = createMetrics().histogram("wait_seconds", { help: "Wait.", unit: "seconds" });
    histogram.observe(0.5, 3);
    histogram.observe(0, 0);
    expect([histogram.count, histogram.sum]).toEqual([3, 1.5]);
  });

  test("the same name and labels give the same instrument, whatever the order of the labels", () => {
    const metrics = createMetrics();
    expect(metrics.counter("a", help, { x: "1", y: "2" })).toBe(
      metrics.counter("a", help, { y: "2", x: "1" }),
    );
    expect(metrics.counter("a", help, { x: "1" })).not.toBe(metrics.counter("a", help, { x: "2" }));
  });

  test("a counter may be asked for with its _total or without", () => {
    const metrics = createMetrics();
    expect(metrics.counter("a_total", help)).toBe(metrics.counter("a", help));
  });

  test("an empty label is no label", () => {
    const metrics = createMetrics();
    expect(metrics.counter("a", help, { x: "" })).toBe(metrics.counter("a", help));
  });
});

describe("text", () => {
  test("an empty set is the end marker alone", () => {
    expect(createMetrics().text()).toBe("# EOF\n");
  });

  test("is written to the letter of the specification", () => {
    const metrics = createMetrics();
    metrics.counter("keelson_pool_checkout_total", { help: "Leases handed out." }, { module: "a" }).add(3);
    metrics.gauge("keelson_memory_bytes", { help: "Size.", unit: "bytes" }).set(1.5);
    metrics
      .histogram("wait_seconds", { help: 'A "wait".', unit: "seconds", buckets: [0.1, 1] })
      .observe(0.25);
    expect(metrics.text()).toBe(`# TYPE keelson_pool_checkout counter
# HELP keelson_pool_checkout Leases handed out.
keelson_pool_checkout_total{module="a"} 3
# TYPE keelson_memory_bytes gauge
# UNIT keelson_memory_bytes bytes
# HELP keelson_memory_bytes Size.
keelson_memory_bytes 1.5
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
# HELP wait_seconds A \\"wait\\".
wait_seconds_bucket{le="0.1"} 0
wait_seconds_bucket{le="1.0"} 1
wait_seconds_bucket{le="+Inf"} 1
wait_seconds_count 1
wait_seconds_sum 0.25
# EOF
`);
  });

  test("bounds are written in the canonical form of the specification", () => {
    const metrics = createMetrics();
    const bounds = [0, 1e-10, 1e-5, 0.0001, 0.25, 1, 10, 12345, 100_000, 1e6, 1_234_567, 1e10, 1e21];
    metrics.histogram("sizes", { help: "Sizes.", buckets: bounds }).observe(1);
    const written = [...metrics.text().matchAll(/le="([^"]*)"/gu)].map((match) => match[1]);
    expect(written).toEqual([
      "0.0",
      "1e-10",
      "1e-05",
      "0.0001",
      "0.25",
      "1.0",
      "10.0",
      "12345.0",
      "100000.0",
      "1e+06",
      "1.234567e+06",
      "1e+10",
      "1e+21",
      "+Inf",
    ]);
    expect(() => parseOpenMetrics(metrics.text())).not.toThrow();
  });

  test("a gauge may be not a number or infinite", () => {
    const metrics = createMetrics();
    for (const [name, value] of [
      ["a", NaN],
      ["b", Infinity],
      ["c", -Infinity],
      ["d", 1e300],
      ["e", 5e-324],
    ] as const) {
      metrics.gauge(name, help).set(value);
    }
    const read = parseOpenMetrics(metrics.text()).map((family) => family.samples[0]?.value);
    expect(read).toEqual([NaN, Infinity, -Infinity, 1e300, 5e-324]);
  });

  test("families stay whole, whatever the order in which their series come", () => {
    const metrics = createMetrics();
    for (const id of ["x", "y", "z"]) {
      metrics.counter("calls", help, { id }).add();
      metrics.histogram("took_seconds", { help: "Took.", unit: "seconds" }, { id }).observe(0.1);
    }
    expect(parseOpenMetrics(metrics.text()).map((family) => [family.name, family.samples.length])).toEqual([
      ["calls", 3],
      ["took_seconds", 3 * 19],
    ]);
  });

  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({
      unit: fc.constantFrom('"', "\\", "\n", "\r", "n", "{", "}", ",", "=", "#", " ", "\0", "\ud800", "é"),
    }),
  );

  test("any label value and any help text come back from a strict reader as they were", () => {
    const name = fc.stringMatching(/^[a-z_:][a-z0-9_:]{0,8}$/u);
    const label = fc.stringMatching(/^[a-z][a-z0-9_]{0,4}$/u).filter((text) => text !== "le");
    const entry = fc.record({
      type: fc.constantFrom("counter", "gauge", "histogram" as const),
      name,
      help: hostile,
      labels: fc.dictionary(label, hostile, { maxKeys: 3 }),
      value: fc.oneof(fc.nat(), fc.double({ min: 0, max: 1e300, noNaN: true })),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
        const metrics = createMetrics();
        const wanted = new Map<string, { help: string; labels: Labels[] }>();
        for (const { type, name: family, help: text, labels, value } of entries) {
          try {
            if (type === "counter") metrics.counter(family, { help: text }, labels).add(value);
            else if (type === "gauge") metrics.gauge(family, { help: text }, labels).set(value);
            else metrics.histogram(family, { help: text }, labels).observe(value);
          } catch (error) {
            expect(error).toEqual(INVALID); // a name taken by another type
            continue;
          }
          const plain = type === "counter" ? family.replace(/_total$/u, "") : family;
          const known = wanted.get(plain) ?? { help: text.toWellFormed(), labels: [] };
          known.labels.push(
            Object.fromEntries(
              Object.entries(labels)
                .filter(([, at]) => at !== "")
                .map(([key, at]) => [key, at.toWellFormed()]),
            ),
          );
          wanted.set(plain, known);
        }
        const families = parseOpenMetrics(metrics.text());
        expect(new Set(families.map((family) => family.name))).toEqual(new Set(wanted.keys()));
        for (const family of families) {
          expect(family.help ?? "").toBe(wanted.get(family.name)?.help);
          const labels = family.samples.map(({ labels: { le: _le, ...rest } }) => rest);
          for (const one of wanted.get(family.name)?.labels ?? []) expect(labels).toContainEqual(one);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("observed series", () => {
  test("are read at each scrape and gone once disposed", () => {
    const metrics = createMetrics();
    let size = 1;
    const series = metrics.observe("gauge", "size", help, { pool: "p" }, () => size);
    expect(metrics.text()).toContain('size{pool="p"} 1\n');
    size = 7;
    expect(metrics.text()).toContain('size{pool="p"} 7\n');
    series[Symbol.dispose]();
    series[Symbol.dispose]();
    expect(metrics.text()).toBe("# EOF\n");
  });

  test("several of the same labels are added up, and a counter keeps what one that left had counted", () => {
    const metrics = createMetrics();
    const old = metrics.observe("counter", "made", help, {}, () => 10);
    metrics.observe("counter", "made", help, {}, () => 3);
    metrics.observe("gauge", "size", help, {}, () => 2);
    const gone = metrics.observe("gauge", "size", help, {}, () => 5);
    expect(metrics.text()).toContain("made_total 13\n");
    expect(metrics.text()).toContain("size 7\n");
    old[Symbol.dispose]();
    gone[Symbol.dispose]();
    expect(metrics.text()).toContain("made_total 13\n");
    expect(metrics.text()).toContain("size 2\n");
  });

  test("only what a counter that leaves had counted well is kept", () => {
    const metrics = createMetrics();
    metrics.observe("counter", "made", help, {}, () => 1);
    const samples = [
      () => 0.5,
      () => -7,
      () => NaN,
      () => {
        throw new Error("gone");
      },
    ];
    for (const sample of samples) metrics.observe("counter", "made", help, {}, sample)[Symbol.dispose]();
    expect(metrics.text()).toContain("made_total 1.5\n");
  });

  test("what is observed in a scope that has ended is seen by nobody", () => {
    const metrics = createMetrics();
    const scope = metrics.scoped({ a: "b" });
    scope[Symbol.dispose]();
    scope.observe("gauge", "size", help, {}, () => 2)[Symbol.dispose]();
    scope.observe("gauge", "size", help, {}, () => 2);
    expect(metrics.text()).toBe("# EOF\n");
  });

  test("the same function registered twice counts twice and leaves twice", () => {
    const metrics = createMetrics();
    const sample = (): number => 4;
    const first = metrics.observe("gauge", "size", help, {}, sample);
    metrics.observe("gauge", "size", help, {}, sample);
    expect(metrics.text()).toContain("size 8\n");
    first[Symbol.dispose]();
    expect(metrics.text()).toContain("size 4\n");
  });

  test("one that throws or gives nonsense is left out and spoils nothing else", () => {
    const metrics = createMetrics();
    metrics.counter("fine", help).add();
    metrics.observe("gauge", "bad", help, {}, () => {
      throw undefined;
    });
    metrics.observe("gauge", "text", help, {}, () => "1" as never);
    metrics.observe("counter", "negative", help, {}, () => -1);
    metrics.observe("counter", "nan", help, {}, () => NaN);
    expect(parseOpenMetrics(metrics.text()).map((family) => family.name)).toEqual(["fine"]);
  });
});

describe("scopes", () => {
  test("add their labels, and take everything away when disposed", () => {
    const metrics = createMetrics();
    metrics.counter("calls", help, { module: "other" }).add();
    const scope = metrics.scoped({ module: "m" });
    scope.counter("calls", help, { method: "x" }).add(2);
    scope.observe("gauge", "size", help, {}, () => 1);
    scope.histogram("took_seconds", { help: "Took.", unit: "seconds" }).observe(1);
    expect(metrics.text()).toContain('calls_total{method="x",module="m"} 2\n');
    scope[Symbol.dispose]();
    scope[Symbol.dispose]();
    expect(metrics.text()).toBe(
      '# TYPE calls counter\n# HELP calls Things.\ncalls_total{module="other"} 1\n# EOF\n',
    );
  });

  test("nested scopes add up their labels and end with the outer one", () => {
    const metrics = createMetrics();
    const outer = metrics.scoped({ module: "m" });
    const inner = outer.scoped({ pool: "p" });
    inner.counter("calls", help).add();
    const other = outer.scoped({ pool: "q" });
    other.counter("calls", help).add();
    other[Symbol.dispose]();
    expect(parseOpenMetrics(metrics.text())[0]?.samples).toEqual([
      { name: "calls_total", labels: { module: "m", pool: "p" }, value: 1 },
    ]);
    outer[Symbol.dispose]();
    expect(metrics.text()).toBe("# EOF\n");
  });

  test("two scopes with the same labels share their series until the last is disposed", () => {
    const metrics = createMetrics();
    const old = metrics.scoped({ module: "m" });
    const fresh = metrics.scoped({ module: "m" });
    old.counter("calls", help).add(5);
    fresh.counter("calls", help).add();
    old[Symbol.dispose]();
    expect(metrics.text()).toContain('calls_total{module="m"} 6\n');
    fresh[Symbol.dispose]();
    expect(metrics.text()).toBe("# EOF\n");
  });

  test("a disposed scope still gives instruments, which nobody reads", () => {
    const metrics = createMetrics();
    const scope = metrics.scoped({ module: "m" });
    scope[Symbol.dispose]();
    scope.counter("calls", help).add();
    scope.histogram("took", help).observe(1);
    scope.observe("gauge", "size", help, {}, () => 1)[Symbol.dispose]();
    scope.scoped({ a: "b" }).gauge("late", help).set(1);
    expect(metrics.text()).toBe("# EOF\n");
  });

  test("a label that the scope sets cannot be changed inside it", () => {
    const scope = createMetrics().scoped({ module: "m" });
    expect(() => scope.counter("calls", help, { module: "somebody-else" })).toThrow(INVALID);
    expect(() => scope.scoped({ module: "n" })).toThrow(INVALID);
    expect(() => scope.counter("calls", help, { module: "" })).toThrow(INVALID);
    expect(scope.counter("calls", help, { module: "m" })).toBe(scope.counter("calls", help));
  });

  test("a name is free again once its last series has gone", () => {
    const metrics = createMetrics();
    const scope = metrics.scoped({});
    scope.counter("a", help);
    expect(() => metrics.gauge("a_total", help)).toThrow(INVALID);
    scope[Symbol.dispose]();
    expect(() => metrics.gauge("a_total", help)).not.toThrow();
    expect(() => metrics.gauge("a", help)).not.toThrow();
  });
});

describe("refusals", () => {
  const bad = { help: "Things." };
  test.each(["", "0a", "a-b", "a b", "é", "a\n", "_total", 'a"', undefined as never, 7 as never])(
    "the counter name %j is INVALID_OPTIONS",
    (name) => {
      expect(() => createMetrics().counter(name, bad)).toThrow(INVALID);
    },
  );

  test.each(["", "0a", "a-b", "__a", "__proto__", "é"])("the label name %j is INVALID_OPTIONS", (name) => {
    const labels = JSON.parse(`{${JSON.stringify(name)}:"x"}`) as Labels;
    expect(() => createMetrics().counter("a", bad, labels)).toThrow(INVALID);
    expect(() => createMetrics().scoped(labels)).toThrow(INVALID);
  });

  test("a label value must be a string", () => {
    for (const value of [1, null, undefined, {}]) {
      expect(() => createMetrics().counter("a", bad, { x: value as never })).toThrow(INVALID);
    }
  });

  test("a histogram refuses the label le and buckets that do not ascend", () => {
    const metrics = createMetrics();
    expect(() => metrics.histogram("h", bad, { le: "1" })).toThrow(INVALID);
    expect(() => metrics.scoped({ le: "1" }).histogram("h", bad)).toThrow(INVALID);
    for (const buckets of [[1, 1], [2, 1], [NaN], [Infinity], [-1, 1], ["1"], 5, "1"]) {
      expect(() => metrics.histogram("h", { ...bad, buckets: buckets as never })).toThrow(INVALID);
    }
    metrics.histogram("h", { ...bad, buckets: [0, 0.1] }, { le: "" });
    expect(metrics.text()).toContain('h_bucket{le="0.0"} 0\n');
  });

  test("a unit must end the name, and help must be given", () => {
    const metrics = createMetrics();
    expect(() => metrics.gauge("size", { help: "Size.", unit: "bytes" })).toThrow(INVALID);
    expect(() => metrics.gauge("size_bytes", { help: "Size.", unit: "by tes" })).toThrow(INVALID);
    expect(() => metrics.gauge("size_", { help: "Size.", unit: "" })).toThrow(INVALID);
    expect(() => metrics.gauge("size_5", { help: "Size.", unit: 5 as never })).toThrow(INVALID);
    expect(() => metrics.gauge("size", {} as never)).toThrow(INVALID);
    expect(() => metrics.gauge("size", undefined as never)).toThrow(INVALID);
    metrics.counter("spent_seconds_total", { help: "Spent.", unit: "seconds" }).add(2);
    expect(metrics.text()).toContain("# UNIT spent_seconds seconds\n");
  });

  test("a taken name is refused to another type, unit or row of buckets", () => {
    const metrics = createMetrics();
    metrics.counter("a", bad);
    metrics.histogram("h_seconds", { help: "H.", unit: "seconds", buckets: [1, 2] });
    expect(() => metrics.gauge("a", bad)).toThrow(INVALID);
    expect(() => metrics.gauge("a_total", bad)).toThrow(INVALID);
    expect(() => metrics.gauge("h_seconds_sum", bad)).toThrow(INVALID);
    expect(() => metrics.counter("h_seconds_count", bad)).toThrow(INVALID);
    expect(() => metrics.histogram("h_seconds", bad)).toThrow(INVALID);
    const row = (...buckets: number[]) => ({ help: "H.", unit: "seconds", buckets });
    for (const buckets of [[1], [1, 3], [0, 2], [1, 2, 3]])
      expect(() => metrics.histogram("h_seconds", row(...buckets))).toThrow(INVALID);
    metrics.histogram("h_seconds", row(1, 2));
    expect(() => metrics.histogram("h_seconds", { help: "H.", unit: "seconds" })).not.toThrow();
    expect(() => metrics.observe("histogram" as never, "x", bad, {}, () => 1)).toThrow(INVALID);
    expect(() => metrics.observe("gauge", "x", bad, {}, 1 as never)).toThrow(INVALID);
  });
});
