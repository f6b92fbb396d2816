import { readFileSync, writeFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { Governor } from "../../src/governor/index.ts";
import { meter } from "../../src/meter/index.ts";

import { assemble, corpus, hostImports } from "./control-corpus.ts";
import { type Callable, digest, FuelHost, outcome, run, usual } from "./harness.ts";

// Fuel totals, and where a guest that runs out of fuel is stopped, are written into a file that the tests of each
// runtime compare with. After a change of costs: KEELSON_WRITE_TOTALS=1, on Node, which runs all of the corpus.
const file = new URL("./totals.json", import.meta.url);
const written = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
const found: Record<string, unknown> = {};

/** Fuel used by all calls of a case; and for smaller and smaller budgets, what was used and what memory held. */
function totals(bytes: Uint8Array, calls: (typeof corpus)[number]["calls"], slice: number): unknown {
  const play = (limit: number): { used: number; memory: string; stopped: boolean } => {
    const { imports, bind } = hostImports();
    const host = new FuelHost(limit, slice);
    let running;
    try {
      running = run(bytes, { mode: "exact", ...usual }, imports, host);
    } catch {
      return { used: -1, memory: "", stopped: true };
    }
    bind(running.instance.exports);
    for (const [name, ...args] of calls) {
      outcome(() => running.exports[name]!(...args));
      if (host.stopped) break;
    }
    return {
      used: running.used(),
      memory: digest(running.instance.exports),
      stopped: host.stopped !== undefined,
    };
  };
  const full = play(1e12);
  const stops = [0.9, 0.5, 0.1].map((part) => {
    const { used, memory } = play(Math.floor(full.used * part));
    return [used, memory];
  });
  return { fuel: full.used, memory: full.memory, stops };
}

/** The same under a governor, whose slices adapt to a clock that goes unevenly; within `limit`. */
function governed(
  bytes: Uint8Array,
  calls: (typeof corpus)[number]["calls"],
  limit: number,
): { used: number; memory: string } {
  const { imports, bind } = hostImports();
  let time = 0;
  let looks = 0;
  const governor = new Governor({ clock: { now: () => (time += ((looks++ * 7919) % 13) / 20) } });
  const metered = meter(bytes, { mode: "exact", ...usual });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(metered.bytes), imports);
  governor.adopt(instance, metered.meta);
  governor.start({ fuel: limit });
  const started = governor.usage.fuel;
  bind(instance.exports);
  const exports = instance.exports as unknown as Record<string, Callable>;
  try {
    governor.run({ fuel: limit - started }, () => {
      for (const [name, ...args] of calls) {
        outcome(() => exports[name]!(...args));
        if (governor.stopped) throw new Error("stopped");
      }
    });
  } catch {
    // out of fuel
  }
  return { used: started + governor.usage.fuel, memory: digest(instance.exports) };
}

interface Totals {
  readonly fuel: number;
  readonly memory: string;
  readonly stops: readonly (readonly [used: number, memory: string])[];
}

describe("fuel is the same everywhere", () => {
  for (const test of corpus) {
    if (test.name.includes("waiting")) continue;
    it(`${test.name}: the totals and the stops are those of the file, for each size of slice`, async (context) => {
      const bytes = await assemble(test);
      if (!WebAssembly.validate(bytes)) return context.skip("this engine has no 64-bit memories");
      const results = [1, 3, 1000, 2 ** 27].map((slice) => totals(bytes, test.calls, slice));
      for (const result of results) expect(result).toEqual(results[0]);
      found[test.name] = results[0];
      if (!process.env["KEELSON_WRITE_TOTALS"]) expect(results[0]).toEqual(written[test.name]);
    });
  }

  for (const test of corpus) {
    if (test.name.includes("waiting")) continue;
    it(`${test.name}: also with slices that adapt, as a governor's do`, async (context) => {
      const bytes = await assemble(test);
      if (!WebAssembly.validate(bytes)) return context.skip("this engine has no 64-bit memories");
      const { fuel, memory, stops } = written[test.name] as Totals;
      expect(governed(bytes, test.calls, 1e12)).toEqual({ used: fuel, memory });
      for (const [index, part] of [0.9, 0.5, 0.1].entries()) {
        const [used, left] = stops[index]!;
        if (used < 0) continue;
        expect(governed(bytes, test.calls, Math.floor(fuel * part)), `stopped at ${part}`).toEqual({
          used,
          memory: left,
        });
      }
    });
  }

  it("the file is up to date", () => {
    if (process.env["KEELSON_WRITE_TOTALS"]) writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`);
    else for (const name of Object.keys(written)) expect(corpus.map((test) => test.name)).toContain(name);
  });
});
