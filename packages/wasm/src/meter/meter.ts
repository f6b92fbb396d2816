import { KeelsonError } from "@keelson/core/plain";

import type { BranchHints } from "./branch-hints.ts";
import { CompileBudget } from "./budget.ts";
import { type Caps, countLowered, planCaps } from "./caps.ts";
import { DepthBy, findDepthBy } from "./depth.ts";
import { Emitter } from "./emit.ts";
import { FunctionCode } from "./function-code.ts";
import { limitsOf, requireBytes, requireMeterOptions } from "./given-options.ts";
import { Layout } from "./layout.ts";
import { leafCost } from "./leaf.ts";
import { type ModuleInfo, readModule, SectionId } from "./module.ts";
import { type OffsetMap, OffsetMapBuilder } from "./offset-map.ts";
import {
  METER_VERSION,
  type MeterLimits,
  type MeterMeta,
  type MeterOptions,
  type MeterReport,
} from "./options.ts";
import { type PrivateNames, privateNames } from "./private-names.ts";
import { Reader, tooLarge, tooLargeForEngines, truncated } from "./reader.ts";
import { Scan } from "./scan/scan.ts";
import { writeSections } from "./sections.ts";
import { UntestedFunctions } from "./untested.ts";
import { Writer } from "./writer.ts";

/** Stack beyond this no engine has; the counter is an i32. */
const MAX_STACK_BYTES = 2 ** 30;
/** Bytes of a function's body that engines accept. */
const ENGINE_FUNCTION_BYTES = 7_654_321;

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
  budget.validate(() => validate(bytes));
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

function validate(bytes: Uint8Array): void {
  let valid = false;
  let cause: unknown;
  try {
    valid = WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>);
  } catch (error) {
    cause = error;
  }
  if (valid) return;
  throw new KeelsonError("INVALID_WASM", "the engine does not accept the bytes as a WebAssembly module", {
    hint: "build the module again; if it is sound, it may need a feature that this runtime lacks",
    ...(cause === undefined ? {} : { cause }),
  });
}

interface Body {
  readonly from: number;
  readonly to: number;
}

function readBodies(module: ModuleInfo, limits: MeterLimits): Body[] {
  const section = module.sections.find(({ id }) => id === SectionId.code);
  const bodies: Body[] = [];
  if (section) {
    const reader = new Reader(module.bytes, section.from, section.to);
    for (let count = reader.u32(); count > 0; count--) {
      const size = reader.u32();
      if (size > limits.maxFunctionBytes) throw tooLarge("maxFunctionBytes", size, limits.maxFunctionBytes);
      const from = reader.at;
      reader.skip(size);
      bodies.push({ from, to: reader.at });
    }
    if (reader.at !== section.to) throw truncated(reader.at);
  }
  if (bodies.length !== module.functions.length - module.importedFunctions)
    throw truncated(section?.from ?? 0);
  return bodies;
}

/** Functions that their callers pay for; not those that a host or a table can reach, which must show that they ran. */
function findLeaves(module: ModuleInfo, bodies: readonly Body[]): Int32Array {
  const costs = new Int32Array(module.functions.length).fill(-1);
  for (let index = 0; index < bodies.length; index++) {
    const { from, to } = bodies[index]!;
    const number = module.importedFunctions + index;
    if (!module.exposed.has(number)) costs[number] = leafCost(module.bytes, from, to);
  }
  return costs;
}

/** What the writing of bodies begins with. */
interface Work {
  readonly module: ModuleInfo;
  readonly bodies: readonly Body[];
  readonly options: MeterOptions;
  readonly limits: MeterLimits;
  readonly budget: CompileBudget;
  readonly caps: Caps;
  readonly leafCosts: Int32Array;
  /** See {@link DepthBy}. */
  readonly depthBy: Uint8Array;
  /** See {@link UntestedFunctions.costs}. */
  readonly untested: Int32Array;
}

interface Code {
  readonly layout: Layout;
  readonly names: PrivateNames;
  readonly out: Writer;
  readonly hints: BranchHints;
  readonly map: OffsetMapBuilder | undefined;
  readonly loops: number;
  readonly hotLoops: number;
  readonly hasUnknownTailCall: boolean;
  /** Functions that have to find the depth in its global, though that could not be seen before. */
  readonly needGlobal: ReadonlySet<number>;
  /** Some function catches exceptions. */
  readonly hasLanding: boolean;
}

function writeBodies(work: Work, foreignTailCalls: boolean): Code {
  const { module, bodies, options, limits, budget, caps, leafCosts } = work;
  const layout = new Layout(module, options, caps.room, caps.tableRoom, work.depthBy, work.untested);
  const scan = new Scan(module, {
    exact: options.mode === "exact",
    capped: options.memoryBytes !== undefined,
    tableCapped: options.tableElements !== undefined,
    refuseRelaxedSimd: options.relaxedSimd === "refuse",
    maxNesting: limits.maxNesting,
    leafCosts,
    depthBy: work.depthBy,
    untested: work.untested,
    foreignTailCalls,
  });
  const section = module.sections.find(({ id }) => id === SectionId.code);
  const out = new Writer(section ? (section.to - section.from) * 2 + 1024 : 1024);
  const map = options.offsetMap ? new OffsetMapBuilder() : undefined;
  const written = new FunctionCode(module, layout, options, scan, out, map);
  const emitter = new Emitter(written, foreignTailCalls, limits.maxLocals);
  let loops = 0;
  let hasUnknownTailCall = false;
  let hasLanding = false;
  for (let index = 0; index < bodies.length; index++) {
    const { from, to } = bodies[index]!;
    const number = module.importedFunctions + index;
    if (leafCosts[number]! >= 0) {
      out.u32(to - from);
      map?.addPiece(out.at, from, to);
      out.copy(module.bytes, from, to);
      continue;
    }
    const start = out.at;
    const helpers = layout.bodies.at;
    out.reserve(to - from + 64);
    out.at += 5;
    map?.beginFunction();
    emitter.body(number, from, to);
    // the size goes in front, in as few bytes as it needs
    const end = out.at;
    const size = end - start - 5;
    if (size > ENGINE_FUNCTION_BYTES)
      throw tooLargeForEngines("maxFunctionBytes", size, ENGINE_FUNCTION_BYTES);
    out.at = start;
    out.u32(size);
    out.bytes.copyWithin(out.at, start + 5, end);
    map?.shift(out.at - start - 5);
    out.at += size;
    // bulk instructions have a function of the meter's own for each table, memory and segment that they name
    const metered = out.at + layout.bodies.at;
    if (metered > limits.maxMeteredBytes) throw tooLarge("maxMeteredBytes", metered, limits.maxMeteredBytes);
    budget.rewrote(out.at - start + layout.bodies.at - helpers);
    loops += scan.loops.count;
    hasUnknownTailCall ||= scan.hasUnknownTailCall;
    hasLanding ||= scan.hasLanding;
  }
  const names = privateNames(module, layout);
  out.copy(layout.bodies.bytes, 0, layout.bodies.at);
  return {
    layout,
    names,
    out,
    hints: written.hints,
    map,
    loops,
    hotLoops: emitter.hotLoops,
    hasUnknownTailCall,
    needGlobal: emitter.needGlobal,
    hasLanding,
  };
}
