import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FilterHandler } from "../../src/contract/hooks.ts";
import type { Value } from "../../src/contract/value.ts";
import { KeelsonError } from "../../src/contract/errors.ts";
import { createHooks, type HooksOptions, type KernelHooks } from "../../src/hooks/index.ts";
import { createMetrics, type MetricsRegistry } from "../../src/metrics/index.ts";
import { refusals } from "../../src/primitives/quarantine.ts";
import { createTestPlatform, settle, type TestPlatform } from "../../src/testing/index.ts";
import { thrownCode } from "../support/errors.ts";

interface Bench {
  readonly hooks: KernelHooks;
  readonly metrics: MetricsRegistry;
  readonly platform: TestPlatform;
}

function bench(options: Partial<HooksOptions> = {}): Bench {
  const platform = createTestPlatform();
  const metrics = createMetrics();
  const { clock, log } = platform;
  return { platform, metrics, hooks: createHooks({ clock, log, metrics, ...options }) };
}

const append =
  (text: string): FilterHandler =>
  (value) =>
    `${value as string}${text}`;

function failures(metrics: MetricsRegistry, module = "host", hook = "h"): number {
  const line = `keelson_hook_failures_total{hook="${hook}",module="${module}"} `;
  const found = metrics
    .text()
    .split("\n")
    .find((text) => text.startsWith(line));
  return found === undefined ? 0 : Number(found.slice(line.length));
}

describe("filters", () => {
  test("without a priority have 0: what is above it comes before, what is below behind", async () => {
    const { hooks } = bench();
    hooks.filter("h", append("0"));
    hooks.filter("h", append("-"), { priority: -0.5 });
    hooks.filter("h", append("+"), { priority: 0.5 });
    expect(await hooks.applyFilters("h", "")).toBe("+0-");
  });

  test("a hook without handlers gives the very value back", async () => {
    const value = { deep: [1] };
    expect(await bench().hooks.applyFilters("nobody", value)).toBe(value);
  });

  test("run by priority, higher first, equal ones in the order they came", async () => {
    const { hooks } = bench();
    hooks.filter("h", append("c"));
    hooks.filter("h", append("a"), { priority: 10 });
    hooks.filter("h", append("d"));
    hooks.filter("h", append("b"), { priority: 10 });
    hooks.filter("h", append("e"), { priority: -1 });
    expect(await hooks.applyFilters("h", "")).toBe("abcde");
  });

  test("what a filter returns goes to the next, at once or by a promise, undefined and null included", async () => {
    const { hooks } = bench();
    const seen: Value[] = [];
    hooks.filter("h", (value) => (seen.push(value), null));
    hooks.filter("h", async (value) => (seen.push(value), undefined));
    hooks.filter("h", (value) => (seen.push(value), 7));
    expect(await hooks.applyFilters("h", "first")).toBe(7);
    expect(seen).toEqual(["first", null, undefined]);
  });

  test("each handler gets the arguments of the run", async () => {
    const { hooks } = bench();
    hooks.filter("h", (value, ...args) => [value, ...args]);
    expect(await hooks.applyFilters("h", 1, "a", { b: 2 })).toEqual([1, "a", { b: 2 }]);
  });

  test("filters and actions of one name are strangers", async () => {
    const { hooks } = bench();
    let told = 0;
    hooks.action("h", () => void told++);
    expect(await hooks.applyFilters("h", "x")).toBe("x");
    expect(told).toBe(0);
    hooks.filter("h", append("!"));
    await hooks.runActions("h");
    expect(told).toBe(1);
  });

  test("handlers that answer at once run before the first wait", () => {
    const { hooks } = bench();
    const seen: string[] = [];
    hooks.filter("h", (value) => (seen.push("one"), value));
    hooks.filter("h", (value) => (seen.push("two"), value));
    void hooks.applyFilters("h", 1);
    expect(seen).toEqual(["one", "two"]);
  });
});

describe("actions", () => {
  test("run one after the other, also those that wait", async () => {
    const { hooks } = bench();
    const seen: string[] = [];
    hooks.action("h", async (name) => {
      seen.push(`begin ${name as string}`);
      await Promise.resolve();
      seen.push("end");
    });
    hooks.action("h", () => void seen.push("second"));
    await hooks.runActions("h", "it");
    expect(seen).toEqual(["begin it", "end", "second"]);
  });
});

describe("a failing handler", () => {
  const faults: Record<string, FilterHandler> = {
    "throws an error": () => {
      throw new Error("no");
    },
    "throws undefined": () => {
      throw undefined;
    },
    "throws an object that cannot be printed": () => {
      throw Object.create(null, {
        message: {
          get: () => {
            throw new Error("gotcha");
          },
        },
      });
    },
    rejects: () => Promise.reject(new Error("no")),
    "rejects with undefined": () => Promise.reject(undefined),
    "returns a thenable that throws": () =>
      ({
        then: () => {
          throw new Error("no");
        },
      }) as never,
    "returns an object whose then cannot be read": () =>
      ({
        get then(): never {
          throw new Error("no");
        },
      }) as never,
  };

  test.each(Object.entries(faults))("that %s is skipped, counted and logged", async (_title, fault) => {
    const { hooks, metrics, platform } = bench();
    hooks.filter("h", append("a"));
    hooks.filter("h", fault);
    hooks.filter("h", append("b"));
    expect(await hooks.applyFilters("h", "")).toBe("ab");
    expect(failures(metrics)).toBe(1);
    expect(platform.log.records).toMatchObject([
      { level: "warn", fields: { hook: "h", type: "filter", module: "host", cutOff: false } },
    ]);
    expect(platform.clock.pending).toBe(0);
  });

  test("that never settles is skipped after its time-out, 30 seconds by default", async () => {
    const { hooks, metrics, platform } = bench();
    hooks.filter("h", () => new Promise(() => {}));
    hooks.filter("h", append("!"));
    let result: Value;
    void hooks.applyFilters("h", "x").then((value) => (result = value));
    await platform.clock.advance(29_999);
    expect(result).toBeUndefined();
    await platform.clock.advance(1);
    expect(result).toBe("x!");
    expect(failures(metrics)).toBe(1);
    expect(platform.clock.pending).toBe(0);
  });

  test("may have a time-out of its own, and what it answers too late is ignored", async () => {
    const { hooks, metrics, platform } = bench();
    const late = Promise.withResolvers<Value>();
    hooks.filter("h", () => late.promise, { timeoutMs: 10 });
    const run = hooks.applyFilters("h", "x");
    await platform.clock.advance(10);
    expect(await run).toBe("x");
    late.reject(new Error("too late"));
    await platform.clock.advance(0);
    expect(failures(metrics)).toBe(1);
  });

  test("is cut off after five failures in ten minutes, and tried once when ten more have passed", async () => {
    const { hooks, metrics, platform } = bench();
    let calls = 0;
    let healthy = false;
    hooks.filter("h", (value) => {
      calls++;
      if (!healthy) throw new Error("no");
      return `${value as string}!`;
    });
    for (let n = 0; n < 8; n++) expect(await hooks.applyFilters("h", "x")).toBe("x");
    expect(calls).toBe(5);
    expect(failures(metrics)).toBe(5);
    expect(metrics.text()).toContain('keelson_hook_cutoffs_total{hook="h",module="host"} 1\n');
    expect(platform.log.records.at(-1)?.fields["cutOff"]).toBe(true);
    await platform.clock.advance(600_000);
    expect(await hooks.applyFilters("h", "x")).toBe("x");
    expect(await hooks.applyFilters("h", "x")).toBe("x");
    expect(calls).toBe(6);
    healthy = true;
    await platform.clock.advance(600_000);
    expect(await hooks.applyFilters("h", "x")).toBe("x!");
    expect(await hooks.applyFilters("h", "x")).toBe("x!");
  });

  test("is tried by one run alone: others that come meanwhile skip it", async () => {
    const { hooks, platform } = bench({ breaker: { failures: 1, withinMs: 100 } });
    let finish: ((value: Value) => void) | undefined;
    hooks.filter("h", () => {
      if (platform.clock.now() < 100) throw new Error("no");
      return new Promise((resolve) => (finish = resolve));
    });
    await hooks.applyFilters("h", "x");
    await platform.clock.advance(100);
    const first = hooks.applyFilters("h", "x");
    expect(await hooks.applyFilters("h", "y")).toBe("y");
    finish?.("done");
    expect(await first).toBe("done");
  });

  test("is not cut off for what its quarantine refused, and a refused trial decides nothing", async () => {
    const { hooks, metrics, platform } = bench();
    const refused = new KeelsonError("MODULE_QUARANTINED", "for 1 s");
    refusals.add(refused);
    let outcome: "fine" | "refused" | "broken" = "refused";
    hooks.filter("h", (value) => {
      if (outcome === "fine") return `${value as string}!`;
      throw outcome === "refused" ? refused : new Error("broken");
    });
    hooks.filter("h", () => Promise.reject(refused));
    for (let time = 0; time < 20; time++) expect(await hooks.applyFilters("h", "x")).toBe("x");
    expect(failures(metrics)).toBe(40);
    expect(metrics.text()).not.toContain("cutoffs_total{");
    expect(platform.log.records.map(({ level }) => level)).not.toContain("warn");
    outcome = "broken";
    for (let time = 0; time < 5; time++) await hooks.applyFilters("h", "x");
    await platform.clock.advance(600_000);
    outcome = "refused";
    await hooks.applyFilters("h", "x");
    outcome = "fine";
    expect(await hooks.applyFilters("h", "x")).toBe("x!");
  });

  test("is cut off for what only looks like a quarantine", async () => {
    const { hooks, metrics } = bench();
    hooks.filter("h", () => Promise.reject(new KeelsonError("MODULE_QUARANTINED", "says the module itself")));
    for (let time = 0; time < 6; time++) await hooks.applyFilters("h", "x");
    expect(failures(metrics)).toBe(5);
  });

  test("does not cut off its neighbours", async () => {
    const { hooks } = bench({ breaker: { failures: 1 } });
    hooks.filter("h", faults["rejects"] as FilterHandler);
    hooks.filter("h", append("!"));
    for (let n = 0; n < 3; n++) expect(await hooks.applyFilters("h", "x")).toBe("x!");
  });

  test("whatever a chain of handlers does, the value that comes out is that of the sound ones", async () => {
    const kind = fc.constantFrom("sync", "async", "throw", "reject", "hang", "undefined-throw");
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ kind, priority: fc.integer({ min: -2, max: 2 }) }), { maxLength: 10 }),
        async (chain) => {
          const { hooks, platform, metrics } = bench();
          for (const [index, { kind: what, priority }] of chain.entries()) {
            const handler: FilterHandler = (value) => {
              if (what === "throw") throw new Error("no");
              if (what === "undefined-throw") throw undefined;
              if (what === "reject") return Promise.reject(new Error("no"));
              if (what === "hang") return new Promise(() => {});
              const next = [...(value as readonly Value[]), index];
              return what === "async" ? Promise.resolve(next) : next;
            };
            hooks.filter("h", handler, { priority });
          }
          const run = hooks.applyFilters("h", []);
          await platform.clock.advance(30_000 * (chain.length + 1));
          const sound = [...chain.entries()]
            .toSorted(([a, one], [b, two]) => two.priority - one.priority || a - b)
            .filter(([, { kind: what }]) => what === "sync" || what === "async")
            .map(([index]) => index);
          expect(await run).toEqual(sound);
          expect(failures(metrics)).toBe(chain.length - sound.length);
          expect(platform.clock.pending).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("registrations", () => {
  test("a disposed handler is never called again, and disposing twice is fine", async () => {
    const { hooks } = bench();
    const one = hooks.filter("h", append("1"));
    hooks.filter("h", append("2"));
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    expect(await hooks.applyFilters("h", "")).toBe("2");
  });

  test("one that is disposed during a run is skipped by that run, one that is added waits for the next", async () => {
    const { hooks } = bench();
    hooks.filter("h", (value) => {
      second[Symbol.dispose]();
      hooks.filter("h", append("new"));
      return `${value as string}1`;
    });
    const second = hooks.filter("h", append("2"));
    hooks.filter("h", append("3"));
    expect(await hooks.applyFilters("h", "")).toBe("13");
    expect(await hooks.applyFilters("h", "")).toBe("13new");
  });

  test("one that disposes itself has its answer taken all the same", async () => {
    const { hooks } = bench();
    const self = hooks.filter("h", (value) => {
      self[Symbol.dispose]();
      return `${value as string}!`;
    });
    expect(await hooks.applyFilters("h", "x")).toBe("x!");
    expect(await hooks.applyFilters("h", "x")).toBe("x");
  });

  test("a run that waits for a handler goes on at once when it is disposed, and that is no failure", async () => {
    const { hooks, metrics, platform } = bench();
    const stuck = hooks.filter("h", () => new Promise(() => {}));
    hooks.filter("h", append("!"));
    const run = hooks.applyFilters("h", "x");
    stuck[Symbol.dispose]();
    expect(await run).toBe("x!");
    expect(metrics.text()).toBe("# EOF\n");
    expect(platform.clock.pending).toBe(0);
  });

  test("the series of a handler go with it", async () => {
    const { hooks, metrics } = bench();
    const handler = hooks.action("h", () => {
      throw new Error("no");
    });
    await hooks.runActions("h");
    expect(failures(metrics)).toBe(1);
    handler[Symbol.dispose]();
    expect(metrics.text()).toBe("# EOF\n");
  });

  test("its failures go to one series, however many, and none comes after its end", async () => {
    const { hooks, metrics, platform } = bench();
    const handler = hooks.action("h", () => {
      throw new Error("no");
    });
    for (let run = 0; run < 3; run++) await hooks.runActions("h");
    expect(failures(metrics)).toBe(3);
    handler[Symbol.dispose]();
    expect(metrics.text()).toBe("# EOF\n");
    const last = hooks.action("h", () => {
      last[Symbol.dispose]();
      throw new Error("no");
    });
    await hooks.runActions("h");
    expect(metrics.text()).toBe("# EOF\n");
    platform.log.records.length = 0;
    const { promise, reject } = Promise.withResolvers<Value>();
    const slow = hooks.filter("h", () => promise);
    const run = hooks.applyFilters("h", 1);
    slow[Symbol.dispose]();
    reject(new Error("late"));
    expect(await run).toBe(1);
    await settle();
    expect(platform.log.records).toEqual([]);
  });

  test("a trial whose promise comes true closes its breaker again", async () => {
    const { hooks, platform } = bench({ breaker: { failures: 1, withinMs: 10 } });
    let sound = false;
    let calls = 0;
    hooks.filter("h", async (value) => {
      calls++;
      if (!sound) throw new Error("no");
      return `${value as string}!`;
    });
    expect(await hooks.applyFilters("h", "x")).toBe("x");
    sound = true;
    expect(await hooks.applyFilters("h", "x")).toBe("x");
    await platform.clock.advance(10);
    for (let run = 0; run < 3; run++) expect(await hooks.applyFilters("h", "x")).toBe("x!");
    expect(calls).toBe(4);
  });

  test("without a time-out no timer is set, and nobody at all is fine", async () => {
    const { hooks, platform } = bench();
    await hooks.runActions("nobody");
    const { promise, resolve } = Promise.withResolvers<Value>();
    hooks.filter("h", () => promise, { timeoutMs: Infinity });
    const run = hooks.applyFilters("h", 1);
    expect(platform.clock.pending).toBe(0);
    resolve(2);
    expect(await run).toBe(2);
  });

  test("two that fail on the same hook share one series until both are gone", async () => {
    const { hooks, metrics } = bench();
    const fail = (): never => {
      throw new Error("no");
    };
    const one = hooks.action("h", fail);
    hooks.action("h", fail);
    await hooks.runActions("h");
    one[Symbol.dispose]();
    expect(failures(metrics)).toBe(2);
  });

  test("what names, handles or limits nothing is INVALID_OPTIONS", () => {
    const { hooks } = bench();
    for (const name of ["", 5, undefined])
      expect(thrownCode(() => hooks.filter(name as string, append("x")))).toBe("INVALID_OPTIONS");
    for (const options of [{ priority: "1" }, { timeoutMs: "5" }, { timeoutMs: NaN }])
      expect(thrownCode(() => hooks.filter("h", append("x"), options as never))).toBe("INVALID_OPTIONS");
    hooks.filter("h", append("x"), { priority: -Infinity, timeoutMs: 0.5 })[Symbol.dispose]();
    expect(thrownCode(() => hooks.filter("h", "x" as never))).toBe("INVALID_OPTIONS");
    expect(thrownCode(() => hooks.filter("h", append("x"), { priority: NaN }))).toBe("INVALID_OPTIONS");
    expect(thrownCode(() => hooks.filter("h", append("x"), { timeoutMs: 0 }))).toBe("INVALID_OPTIONS");
    expect(thrownCode(() => bench({ timeoutMs: -1 }))).toBe("INVALID_OPTIONS");
  });
});
