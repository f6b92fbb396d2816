import { SectionId } from "../../binary/numbers.ts";
import type { CompileBudget } from "../budget.ts";
import type { Caps } from "../caps.ts";
import { Layout } from "../layout.ts";
import { OffsetMapBuilder } from "../offset-map.ts";
import type { MeterLimits, MeterOptions } from "../options.ts";
import { type PrivateNames, privateNames } from "../private-names.ts";
import type { Body } from "../read/bodies.ts";
import type { ModuleInfo } from "../read/module.ts";
import { tooLarge, tooLargeForEngines } from "../read/reader.ts";
import { Scan } from "../scan/scan.ts";
import type { BranchHints } from "./branch-hints.ts";
import { Emitter } from "./emit.ts";
import { FunctionCode } from "./function-code.ts";
import { Writer } from "./writer.ts";

/** Bytes of a function's body that engines accept. */
const ENGINE_FUNCTION_BYTES = 7_654_321;

/** What the writing of bodies begins with. */
export interface Work {
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

/** The bodies as they were written, and what they need of the rest of the module. */
export interface Code {
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

/**
 * Scans and writes the bodies of all functions, one after another, and behind them those of the meter's own.
 *
 * @param foreignTailCalls calls of this module's functions may return from a foreign one, reached by a tail call
 */
export function writeBodies(work: Work, foreignTailCalls: boolean): Code {
  const { module, bodies, options, limits, budget, caps, leafCosts } = work;
  const layout = new Layout(module, options, caps.room, caps.tableRoom, work.depthBy, work.untested);
  const scan = new Scan(module, {
    exact: options.mode === "exact",
    capped: options.memoryBytes !== undefined,
    tableCapped: options.tableElements !== undefined,
    refuseRelaxedSimd: options.relaxedSimd === "refuse",
    maxNesting: limits.maxNesting,
    maxMergedValues: limits.maxMergedValues,
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
