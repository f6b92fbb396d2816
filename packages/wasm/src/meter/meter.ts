import { SectionId } from "../binary/numbers.ts";
import { CompileBudget } from "./budget.ts";
import { countLowered, planCaps } from "./caps.ts";
import { limitsOf, requireBytes, requireMeterOptions } from "./given-options.ts";
import type { OffsetMap } from "./offset-map.ts";
import {
  METER_VERSION,
  type MeterLimits,
  type MeterMeta,
  type MeterOptions,
  type MeterReport,
} from "./options.ts";
import { readBodies } from "./read/bodies.ts";
import { type ModuleInfo, readModule } from "./read/module.ts";
import { tooLarge } from "./read/reader.ts";
import { DepthBy, findDepthBy } from "./scan/depth.ts";
import { findLeaves } from "./scan/leaf.ts";
import { UntestedFunctions } from "./scan/untested.ts";
import { partsToValidate, validate } from "./validation.ts";
import { type Work, writeBodies } from "./write/bodies.ts";
import { writeSections } from "./write/sections.ts";
import { Writer } from "./write/writer.ts";

/** Stack beyond this no engine has; the counter is an i32. */
const MAX_STACK_BYTES = 2 ** 30;

/** A module rewritten so that its guest can be counted, capped and stopped. */
export interface MeteredModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What {@link attach} needs; plain data, to be kept beside the bytes. */
  readonly meta: MeterMeta;
  readonly report: MeterReport;
  /** Where the original's code went, when asked for. */
  readonly offsets?: OffsetMap;
}

/**
 * Rewrites a WebAssembly module so that a host can stop its guest, count what it executes and cap what it takes.
 *
 * The module is validated by the engine first: what the meter appends has numbers past those of the original's
 * items, and only a validated module is sure to name none of them. Nothing is imported and nothing is renumbered.
 *
 * @throws `INVALID_OPTIONS`, `INVALID_WASM` when the engine refuses the module, `UNSUPPORTED_WASM` naming a feature that cannot be
 * metered, `WASM_TOO_LARGE` when a limit is passed, `OUT_OF_MEMORY` when the declared minimums pass a cap.
 */
export function meter(input: Uint8Array, given: MeterOptions): MeteredModule {
  requireBytes(input);
  requireMeterOptions(given);
  const options =
    (given.stackBytes ?? 0) > MAX_STACK_BYTES ? { ...given, stackBytes: MAX_STACK_BYTES } : given;
  const limits = limitsOf(options.limits);
  if (input.length > limits.maxBytes) throw tooLarge("maxBytes", input.length, limits.maxBytes);
  // bytes that another thread can change could differ between validation and rewriting; and a plain array is read fastest
  const bytes =
    input.buffer instanceof ArrayBuffer
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
  const budget = new CompileBudget(limits.maxCompileMs, bytes.length, options.now);
  budget.validate(partsToValidate(bytes, limits.maxFunctionBytes), validate);
  const module = readModule(bytes);
  requireFew(module, limits);
  const bodies = readBodies(module, limits);
  const caps = planCaps(module, options);
  const leafCosts = findLeaves(module, bodies);
  const depthBy =
    options.stackBytes === undefined
      ? new Uint8Array(module.functions.length)
      : findDepthBy(module, bodies, leafCosts);

  const untested = new UntestedFunctions(module, bodies, leafCosts).costs;
  const work: Work = { module, bodies, options, limits, budget, caps, leafCosts, depthBy, untested };
  let code = writeBodies(work, false);
  // All is written once more where a tail call into the unknown makes the calls of its function's callers uncertain too,
  // and where functions turned out to need the depth's global.
  for (const index of code.needGlobal) depthBy[index] = DepthBy.global;
  if (code.hasUnknownTailCall || code.needGlobal.size > 0) code = writeBodies(work, code.hasUnknownTailCall);

  const { layout, names, out } = code;
  const hints = (options.branchHints ?? true) ? code.hints.finish() : undefined;
  const section = module.sections.find(({ id }) => id === SectionId.code);
  const originalCode = section ? section.to - section.from : 0;
  const writer = new Writer(bytes.length - originalCode + out.at + (hints?.length ?? 0) + 4096);
  const codeEnd = writeSections(
    module,
    {
      layout,
      exports: names.list,
      memoryMax: caps.memoryMax,
      tableMax: caps.tableMax,
      hints,
      writeCode(target) {
        target.u32(bodies.length + layout.functions.length);
        target.copy(out.bytes, 0, out.at);
      },
    },
    writer,
  );
  if (writer.at > limits.maxMeteredBytes)
    throw tooLarge("maxMeteredBytes", writer.at, limits.maxMeteredBytes);
  budget.check(writer.at / bytes.length);

  const meta: MeterMeta = {
    version: METER_VERSION,
    mode: options.mode,
    functions: module.functions.length,
    watchedImports: watchedImports(module, code.hasLanding),
    exports: names.exports,
    stackBytes: options.stackBytes ?? 0,
    ...(options.memoryBytes === undefined ? {} : { memoryBytes: options.memoryBytes }),
  };
  const report: MeterReport = {
    originalBytes: bytes.length,
    meteredBytes: writer.at,
    functions: bodies.length,
    leafFunctions: leafCosts.reduce((count, cost) => count + (cost >= 0 ? 1 : 0), 0),
    loops: code.loops,
    hotLoops: code.hotLoops,
    cappedMemories: countLowered(module.memories, caps.memoryMax),
    cappedTables: countLowered(module.tables, caps.tableMax),
    hasStart: module.start !== undefined,
  };
  const metered = { bytes: writer.take(), meta, report };
  return code.map ? { ...metered, offsets: code.map.finish(codeEnd - out.at) } : metered;
}

function watchedImports({ exposed, importedFunctions }: ModuleInfo, catches: boolean): number[] {
  const all = Array.from({ length: importedFunctions }, (_, index) => index);
  return catches ? all : all.filter((index) => exposed.has(index));
}

/** What each instance has to be given, whether it is used or not. */
function requireFew(module: ModuleInfo, limits: MeterLimits): void {
  const found = {
    maxFunctions: module.functions.length,
    maxExports: module.exports.size,
    maxMemories: module.memories.length,
    maxTables: module.tables.length,
    maxInitializers: module.constants.steps,
  };
  for (const [option, count] of Object.entries(found) as [keyof typeof found, number][]) {
    if (count > limits[option]) throw tooLarge(option, count, limits[option]);
  }
}
