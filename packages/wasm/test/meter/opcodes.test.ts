import { describe, expect, it } from "vitest";

import { describeOpcode, nameOf } from "../../src/meter/read/opcodes.ts";
import { meter } from "../../src/meter/index.ts";
import { type Callable, digest, modes, outcome, run, show, usual } from "./harness.ts";
import { argumentsFor, opcodeModule, plainSlots, signatureOf } from "./opcodes-corpus.ts";
import { deltaOf } from "../../src/meter/read/opcodes.ts";

const slots = plainSlots();

describe("every plain instruction", () => {
  it("is known by name, with the stack effect its signature has", () => {
    expect(slots.length).toBeGreaterThan(400);
    for (const slot of slots) {
      const { operands, result } = signatureOf(slot)!;
      expect(`${nameOf[slot]} ${deltaOf[slot]}`).toBe(
        `${nameOf[slot]} ${(result === undefined ? 0 : 1) - operands.length}`,
      );
    }
  });

  it("is valid in the engine and stays so when metered", () => {
    for (const slot of slots) {
      const bytes = opcodeModule(slot);
      expect(`${describeOpcode(slot)} ${WebAssembly.validate(bytes)}`).toBe(`${describeOpcode(slot)} true`);
      for (const options of modes) {
        const valid = WebAssembly.validate(meter(bytes, options).bytes);
        expect(`${describeOpcode(slot)} ${valid}`).toBe(`${describeOpcode(slot)} true`);
      }
    }
  });

  it("gives the same values, traps and memory plain and metered", () => {
    for (const slot of slots) {
      const bytes = opcodeModule(slot);
      const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes));
      const metered = run(bytes, { mode: "exact", ...usual });
      for (const args of argumentsFor(slot)) {
        // relaxed instructions may answer differently from one compilation to the next
        if (nameOf[slot]!.includes("relaxed")) {
          expect(outcome(() => metered.exports["f"]!(...args))).toBe("undefined");
          continue;
        }
        const label = `${describeOpcode(slot)}(${show(args)})`;
        const expected = outcome(() => (plain.exports["f"] as unknown as Callable)(...args));
        expect(`${label} ${outcome(() => metered.exports["f"]!(...args))}`).toBe(`${label} ${expected}`);
        expect(`${label} ${digest(metered.instance.exports)}`).toBe(`${label} ${digest(plain.exports)}`);
      }
    }
  });
});
