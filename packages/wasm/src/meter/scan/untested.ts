import type { Body } from "../read/bodies.ts";
import { pastImmediate } from "../read/immediates.ts";
import { PREPAID } from "../layout.ts";
import type { ModuleInfo } from "../read/module.ts";
import { costIn, factsOf, immediateIn, prefixBase, prefixRoom, Role, roleIn } from "../read/opcodes.ts";
import { Reader } from "../read/reader.ts";

/** Larger bodies are not looked at. */
const MAX_BYTES = 96;
const MAX_PARAMS = 16;
const MAX_GROUPS = 4;
const MAX_LOCALS = 16;
/** What a call of such a function may cost before something tests, the others that it calls included. */
const MAX_COST = 192;
/** So many may call one another: their frames are not tested either. */
const MAX_CHAIN = 3;
/** The search does not follow calls further than this. */
const MAX_DEPTH = 12;

const Found = { nothing: 0, looking: 1, tests: 2, none: 3 } as const;

/**
 * Finds the functions that need no test: small ones without loops whose calls lead to ones that test, or to few like themselves, and never back. Engines
 * inline what is small, and a test makes it several times as large.
 */
export class UntestedFunctions {
  /** What a call of each function costs at most before something tests; 0 where it tests itself. */
  readonly costs: Int32Array;
  readonly #found: Uint8Array;
  readonly #chains: Uint8Array;
  readonly #module: ModuleInfo;
  readonly #bodies: readonly Body[];
  readonly #leafCosts: Int32Array;

  /** `bodies` are those of the functions defined here, `leafCosts` the functions that their callers pay for. */
  constructor(module: ModuleInfo, bodies: readonly Body[], leafCosts: Int32Array) {
    const count = module.functions.length;
    this.costs = new Int32Array(count);
    this.#found = new Uint8Array(count);
    this.#chains = new Uint8Array(count);
    this.#module = module;
    this.#bodies = bodies;
    this.#leafCosts = leafCosts;
    for (let index = module.importedFunctions; index < count; index++) this.#look(index, 1);
  }

  /** Whether function `index` does without a test; `depth`: how many are being looked at. */
  #look(index: number, depth: number): boolean {
    const found = this.#found;
    if (found[index] === Found.nothing) {
      found[index] = Found.looking;
      const cost = this.#leafCosts[index]! >= 0 ? 0 : this.#costOf(index, depth);
      found[index] = cost > 0 ? Found.none : Found.tests;
      this.costs[index] = cost;
    }
    return found[index] === Found.none;
  }

  /** The cost of all its code with what it calls, or 0 where it has to test. */
  #costOf(index: number, depth: number): number {
    const { bytes, exposed, functions, importedFunctions, types } = this.#module;
    const { from, to } = this.#bodies[index - importedFunctions]!;
    if (to - from > MAX_BYTES || exposed.has(index)) return 0;
    if (types[functions[index]!]!.params > MAX_PARAMS) return 0;
    let at = from;
    const groups = bytes[at++]!;
    if (groups > MAX_GROUPS) return 0;
    for (let group = 0; group < groups; group++) {
      // a reference type of more bytes: its locals are not worth decoding
      if (bytes[at++]! > MAX_LOCALS || bytes[at++]! < 0x69) return 0;
    }
    let cost = 1;
    let chain = 0;
    while (at < to) {
      let slot = bytes[at++]!;
      if (slot >= 0xfb && slot <= 0xfe) {
        const code = bytes[at++]!;
        if (code >= 0x80 || code >= prefixRoom[slot - 0xfb]!) return 0;
        slot = prefixBase[slot - 0xfb]! + code;
      }
      const facts = factsOf[slot]!;
      const role = roleIn(facts);
      cost += costIn(facts);
      if (role === Role.call) {
        const target = new Reader(bytes, at).u32();
        if (target < importedFunctions) return 0;
        const leaf = this.#leafCosts[target]!;
        cost += leaf >= 0 ? leaf : PREPAID;
        if (leaf < 0) {
          if (this.#found[target] === Found.looking || depth > MAX_DEPTH) return 0;
          if (this.#look(target, depth + 1)) {
            cost += this.costs[target]!;
            chain = Math.max(chain, this.#chains[target]!);
          }
        }
      } else if (role === Role.callIndirect) cost += PREPAID;
      else if (!isHarmless(role)) return 0;
      if (cost > MAX_COST || chain >= MAX_CHAIN) return 0;
      at = pastImmediate(bytes, at, immediateIn(facts));
      if (at < 0) return 0;
    }
    this.#chains[index] = chain + 1;
    return at === to ? cost : 0;
  }
}

/** What may stand in a function without a test, calls aside. */
function isHarmless(role: number): boolean {
  switch (role) {
    case Role.plain:
    case Role.constant:
    case Role.block:
    case Role.if:
    case Role.else:
    case Role.end:
    case Role.branch:
    case Role.branchIf:
    case Role.branchTable:
    case Role.return:
    case Role.unreachable:
      return true;
    default:
      return false;
  }
}
