import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { isKeelsonError } from "@keelson/core";

import { meter } from "../../src/meter/index.ts";
import { assemble, corpus, hostImports } from "./control-corpus.ts";
import { type Callable, digest, FuelHost, modes, outcome, run, usual } from "./harness.ts";
import { compare } from "./fuzz/compare.ts";
import { opcodeModule, plainSlots } from "./opcodes-corpus.ts";

const numRuns = Number(process.env["KEELSON_FUZZ_RUNS"] ?? 4000);
const timeout = 30_000 + numRuns * 20;

const seeds: Uint8Array<ArrayBuffer>[] = [];
for (const test of corpus) {
  // waiting guests are slow, not interesting
  if (!test.name.includes("waiting")) seeds.push(await assemble(test));
}
for (const slot of plainSlots().filter((_, index) => index % 20 === 0)) seeds.push(opcodeModule(slot));

interface Mutation {
  readonly seed: number;
  readonly edits: readonly { readonly at: number; readonly value: number; readonly kind: number }[];
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  seed: fc.nat(seeds.length - 1),
  edits: fc.array(
    fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), value: fc.nat(255), kind: fc.nat(9) }),
    { maxLength: 3 },
  ),
});

/** Flips a bit, replaces a byte, doubles one, cuts one out or cuts the rest off. */
function mutate({ seed, edits }: Mutation): Uint8Array<ArrayBuffer> {
  let bytes = [...seeds[seed]!];
  for (const { at, value, kind } of edits) {
    const position = Math.min(bytes.length - 1, 8 + Math.floor(at * (bytes.length - 8)));
    if (kind < 4) bytes[position]! ^= 1 << (value & 7);
    else if (kind < 7) bytes[position] = value;
    else if (kind === 7) bytes.splice(position, 0, value);
    else if (kind === 8) bytes.splice(position, 1);
    else bytes = bytes.slice(0, position);
  }
  return new Uint8Array(bytes);
}

const refusals = ["INVALID_WASM", "UNSUPPORTED_WASM", "WASM_TOO_LARGE", "OUT_OF_MEMORY"] as const;

/** Meters arbitrary bytes: a valid module or a refusal that is in place, and nothing else. */
function check(bytes: Uint8Array<ArrayBuffer>, round: number): string {
  const valid = WebAssembly.validate(bytes);
  try {
    const metered = meter(bytes, modes[round % modes.length]!);
    expect(valid).toBe(true);
    expect(WebAssembly.validate(metered.bytes)).toBe(true);
    return "metered";
  } catch (error) {
    if (!isKeelsonError(error)) throw error;
    expect(refusals).toContain(error.code);
    expect(error.code === "INVALID_WASM").toBe(!valid);
    return error.code;
  }
}

describe("arbitrary bytes", () => {
  it(
    "become a valid module or a refusal: mutated modules",
    () => {
      const seen: Record<string, number> = {};
      let round = 0;
      fc.assert(
        fc.property(mutation, (mutated) => {
          const result = check(mutate(mutated), round++);
          seen[result] = (seen[result] ?? 0) + 1;
        }),
        { numRuns },
      );
      // the test would prove little if all of it were refused
      expect(seen["metered"]).toBeGreaterThan(numRuns / 20);
      expect(seen["INVALID_WASM"]).toBeGreaterThan(numRuns / 20);
    },
    timeout,
  );

  it(
    "become a valid module or a refusal: bytes behind a header",
    () => {
      let round = 0;
      const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, withHeader) => {
          check(new Uint8Array(withHeader ? [...header, ...bytes] : bytes), round++);
        }),
        { numRuns },
      );
    },
    timeout,
  );

  it(
    "become modules that behave as before, when they are valid",
    () => {
      let compared = 0;
      fc.assert(
        fc.property(mutation, (mutated) => {
          const bytes = mutate(mutated);
          if (!WebAssembly.validate(bytes)) return;
          const [test] = corpus
            .filter(({ name }) => !name.includes("waiting"))
            .slice(mutated.seed, mutated.seed + 1);
          const calls = test?.calls ?? [["f", 1, 2, 3] as const];
          const host = new FuelHost(3_000_000, 10_000);
          const metered = hostImports();
          const plain = hostImports();
          let running;
          try {
            running = run(bytes, { mode: "exact", ...usual }, metered.imports, host);
          } catch {
            return; // refused, or its imports are gone, or its start function failed
          }
          metered.bind(running.instance.exports);
          // first metered: what is stopped there would not end here
          const results: string[] = [];
          for (const [name, ...args] of calls) {
            if (typeof running.exports[name] !== "function") continue;
            running.attached.depth = usual.stackBytes;
            results.push(outcome(() => running.exports[name]!(...args)));
            if (host.stopped) return;
          }
          const state = digest(running.instance.exports);
          if (host.asked[4]! + host.asked[5]! > 0) return; // a cap changed what it saw
          const other = new WebAssembly.Instance(new WebAssembly.Module(bytes), plain.imports);
          plain.bind(other.exports);
          const expected: string[] = [];
          for (const [name, ...args] of calls) {
            if (typeof other.exports[name] === "function") {
              expected.push(outcome(() => (other.exports[name] as unknown as Callable)(...args)));
            }
          }
          expect(results).toEqual(expected);
          expect(state).toBe(digest(other.exports));
          compared++;
        }),
        { numRuns },
      );
      expect(compared).toBeGreaterThan(numRuns / 30);
    },
    timeout,
  );
});

// Modules of any origin, such as those that fuzz/generate.ts makes.
const given = process.env["KEELSON_FUZZ_DIR"];
describe.skipIf(!given)("generated modules", () => {
  for (const file of given ? readdirSync(given).filter((name) => name.endsWith(".wasm")) : []) {
    it(`${file}: metered and plain agree`, () => {
      const { result, detail } = compare(new Uint8Array(readFileSync(join(given!, file))));
      expect(["differs", "broken"], detail).not.toContain(result);
    });
  }
});
