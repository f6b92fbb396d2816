import { describe, expect, it } from "vitest";

import { meter } from "../../src/meter/index.ts";
import { instructionsIn } from "../../src/meter/read/instructions.ts";
import { SectionId } from "../../src/binary/numbers.ts";
import { readModule } from "../../src/meter/read/module.ts";
import { nameOf } from "../../src/meter/read/opcodes.ts";
import { assemble, corpus, type CorpusCase, hostImports } from "./control-corpus.ts";
import { type Callable, digest, FuelHost, modes, outcome, run, usual } from "./harness.ts";
import { plainSlots } from "./opcodes-corpus.ts";

/** All calls of a case, one after another, with what became of each. */
function play(test: CorpusCase, exports: WebAssembly.Exports, after?: () => string): string[] {
  return test.calls.map(([name, ...args]) => {
    const result = outcome(() => (exports[name] as unknown as Callable)(...args));
    return `${name}(${args.map(String).join(", ")}) ${result} ${digest(exports)}${after?.() ?? ""}`;
  });
}

const unavailable: string[] = [];
const cases: [CorpusCase, Uint8Array<ArrayBuffer>][] = [];
for (const test of corpus) {
  const bytes = await assemble(test);
  if (WebAssembly.validate(bytes)) cases.push([test, bytes]);
  else unavailable.push(test.name);
}

describe("metered and plain modules agree", () => {
  it("can run the corpus; only 64-bit memory may be missing from an engine", () => {
    expect(unavailable.filter((name) => !name.startsWith("64-bit memory"))).toEqual([]);
  });

  for (const [test, bytes] of cases) {
    it(test.name, () => {
      const plainHost = hostImports();
      const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes), plainHost.imports);
      plainHost.bind(plain.exports);
      const expected = play(test, plain.exports);
      for (const options of modes) {
        const { imports, bind } = hostImports();
        const metered = run(bytes, options, imports);
        bind(metered.instance.exports);
        expect(play(test, metered.instance.exports), JSON.stringify(options)).toEqual(expected);
        // a call that fails leaves its depth behind: the host sets it at each entry
        const failed = expected.some((line) => line.includes(" throws "));
        if (options.stackBytes && !failed) expect(metered.attached.depth).toBe(options.stackBytes);
      }
    });

    it(`${test.name}: fuel does not depend on the slices`, () => {
      const totals = [1, 3, 1000, 1_000_000].map((slice) => {
        const { imports, bind } = hostImports();
        const metered = run(bytes, { mode: "exact", ...usual }, imports, new FuelHost(1e9, slice));
        bind(metered.instance.exports);
        return play(test, metered.instance.exports, () => ` ${metered.used()}`);
      });
      for (const total of totals) expect(total).toEqual(totals[0]);
    });
  }

  it("the corpus holds every instruction that has a name", () => {
    const seen = new Set(plainSlots());
    for (const [, bytes] of cases) {
      const code = readModule(bytes).sections.find(({ id }) => id === SectionId.code);
      if (code !== undefined)
        for (const slot of instructionsIn(bytes, code.from, code.to).slots) seen.add(slot);
    }
    const missing = nameOf.filter((name, slot) => name !== "" && !seen.has(slot));
    expect(missing).toEqual([]);
  });

  it("gives up nothing of the original: all exports stay, under their names", () => {
    for (const [, bytes] of cases) {
      const before = WebAssembly.Module.exports(new WebAssembly.Module(bytes));
      const after = WebAssembly.Module.exports(new WebAssembly.Module(meter(bytes, { mode: "exact" }).bytes));
      expect(after.slice(0, before.length)).toEqual(before);
    }
  });
});
