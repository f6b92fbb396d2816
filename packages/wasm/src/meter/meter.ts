import { KeelsonError } from "@keelson/core/plain";

import { CompileBudget } from "./budget.ts";
import { GRANULE } from "./constants.ts";
import { Emitter } from "./emit.ts";
import * as helpers from "./helpers.ts";
import { Layout } from "./layout.ts";
import { leafCost } from "./leaf.ts";
import { type ModuleInfo, readModule, SectionId } from "./module.ts";
import { type OffsetMap, OffsetMapBuilder } from "./offset-map.ts";
import {
  defaultMeterLimits,
  METER_VERSION,
  type MeterLimits,
  type MeterMeta,
  type MeterOptions,
  type MeterReport,
} from "./options.ts";
import { Reader, tooLarge, truncated } from "./reader.ts";
import { Scan } from "./scan.ts";
import { writeSections } from "./sections.ts";
import { Writer } from "./writer.ts";

/** A module rewritten so that its guest can be counted, capped and stopped. */
export interface MeteredModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What {@link attach} needs; plain data, to be kept beside the bytes. */
  readonly meta: MeterMeta;
  readonly report: MeterReport;
  /** Where the original's code went, when asked for. */
  readonly offsets?: OffsetMap;
}

const PAGE_GRANULES = 65_536 / GRANULE;
/** The room counter is an i32: 32 GiB. */
const MAX_GRANULES = 2 ** 31 - 1;

/**
 * Rewrites a WebAssembly module so that a host can stop its guest, count what it executes and cap what it takes.
 *
 * The module is validated by the engine first: what the meter appends has numbers past those of the original's
 * items, and only a validated module is sure to name none of them. Nothing is imported and nothing is renumbered.
 *
 * @throws `INVALID_WASM` when the engine refuses the module, `UNSUPPORTED_WASM` naming a feature that cannot be
 * metered, `WASM_TOO_LARGE` when a limit is passed, `OUT_OF_MEMORY` when the declared minimums pass a cap.
 */
export function meter(input: Uint8Array, options: MeterOptions): MeteredModule {
  const limits: MeterLimits = { ...defaultMeterLimits, ...options.limits };
  if (input.length > limits.maxBytes) throw tooLarge("maxBytes", input.length, limits.maxBytes);
  // bytes that another thread can change could differ between validation and rewriting; and a plain array is read fastest
  const bytes =
    input.buffer instanceof ArrayBuffer
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
  const budget = new CompileBudget(limits.maxCompileMs, options.now);
  validate(bytes);
  budget.validated();
  const module = readModule(bytes);
  if (module.functions.length > limits.maxFunctions) {
    throw tooLarge("maxFunctions", module.functions.length, limits.maxFunctions);
  }
  const bodies = readBodies(module, limits);
  const caps = planCaps(module, options);
  const leafCosts = findLeaves(module, bodies);

  let code = writeBodies(module, bodies, options, limits, budget, caps, leafCosts, false);
  // a tail call into the unknown makes the calls of its function's callers uncertain too: they are written once more
  if (code.hasUnknownTailCall)
    code = writeBodies(module, bodies, options, limits, budget, caps, leafCosts, true);

  const { layout, names, out, hints } = code;
  const section = module.sections.find(({ id }) => id === SectionId.code);
  const originalCode = section ? section.to - section.from : 0;
  const writer = new Writer(bytes.length - originalCode + out.at + 5 * hints.length + 4096);
  const codeEnd = writeSections(
    module,
    {
      layout,
      exports: names.list,
      memoryMax: caps.memoryMax,
      tableMax: caps.tableMax,
      hints: (options.branchHints ?? true) ? encodeHints(hints) : undefined,
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
  for (const [index, { from, to }] of bodies.entries()) {
    const number = module.importedFunctions + index;
    if (!module.exposed.has(number)) costs[number] = leafCost(module.bytes, from, to);
  }
  return costs;
}

interface Code {
  readonly layout: Layout;
  readonly names: PrivateNames;
  readonly out: Writer;
  readonly hints: [functionIndex: number, offsets: number[]][];
  readonly map: OffsetMapBuilder | undefined;
  readonly loops: number;
  readonly hotLoops: number;
  readonly hasUnknownTailCall: boolean;
}

function writeBodies(
  module: ModuleInfo,
  bodies: readonly Body[],
  options: MeterOptions,
  limits: MeterLimits,
  budget: CompileBudget,
  caps: Caps,
  leafCosts: Int32Array,
  foreignTailCalls: boolean,
): Code {
  const layout = new Layout(module, options, caps.room, caps.tableRoom);
  const scan = new Scan(module, {
    exact: options.mode === "exact",
    capped: options.memoryBytes !== undefined,
    tableCapped: options.tableElements !== undefined,
    refuseRelaxedSimd: options.relaxedSimd === "refuse",
    maxNesting: limits.maxNesting,
    leafCosts,
  });
  const section = module.sections.find(({ id }) => id === SectionId.code);
  const out = new Writer(section ? (section.to - section.from) * 2 + 1024 : 1024);
  const map = options.offsetMap ? new OffsetMapBuilder() : undefined;
  const emitter = new Emitter(module, layout, options, scan, out, foreignTailCalls, limits.maxLocals, map);
  const hints: [number, number[]][] = [];
  let loops = 0;
  let hasUnknownTailCall = false;
  for (const [index, { from, to }] of bodies.entries()) {
    const number = module.importedFunctions + index;
    if (leafCosts[number]! >= 0) {
      out.u32(to - from);
      map?.add(out.at, from);
      out.copy(module.bytes, from, to);
      continue;
    }
    const start = out.at;
    out.reserve(to - from + 64);
    out.at += 5;
    map?.beginFunction();
    const offsets = emitter.body(number, from, to);
    // the size goes in front, in as few bytes as it needs
    const end = out.at;
    const size = end - start - 5;
    out.at = start;
    out.u32(size);
    out.bytes.copyWithin(out.at, start + 5, end);
    map?.shift(out.at - start - 5);
    out.at += size;
    if (out.at > limits.maxMeteredBytes) throw tooLarge("maxMeteredBytes", out.at, limits.maxMeteredBytes);
    budget.rewrote(out.at - start);
    if (offsets.length > 0) hints.push([number, offsets]);
    loops += scan.loops;
    hasUnknownTailCall ||= scan.hasUnknownTailCall;
  }
  const names = privateNames(module, layout);
  for (const { body } of layout.functions) {
    out.u32(body.length);
    out.raw(body);
  }
  return { layout, names, out, hints, map, loops, hotLoops: emitter.hotLoops, hasUnknownTailCall };
}

interface Caps {
  readonly memoryMax: (number | undefined)[];
  readonly tableMax: (number | undefined)[];
  /** What is left beyond the declared minimums, in granules and in elements. */
  readonly room: number;
  readonly tableRoom: number;
}

/** What each memory and table may grow to, so that all of them together stay within the caps. */
function planCaps(module: ModuleInfo, options: MeterOptions): Caps {
  let room = 0;
  let tableRoom = 0;
  let memoryMax: (number | undefined)[] = [];
  let tableMax: (number | undefined)[] = [];
  if (options.memoryBytes !== undefined) {
    const pages = declaredMinimum(module.memories);
    const constants = module.constants.granules;
    const cap = Math.min(Math.floor(options.memoryBytes / GRANULE), MAX_GRANULES);
    room = cap - pages * PAGE_GRANULES - constants;
    if (room < 0) {
      const declared = (pages * PAGE_GRANULES + constants) * GRANULE;
      throw overCap("bytes of memory", "Bytes", declared, options.memoryBytes);
    }
    const spare = Math.floor(room / PAGE_GRANULES);
    memoryMax = module.memories.map(({ limits }) => limits.min + spare);
  }
  if (options.tableElements !== undefined) {
    const elements = declaredMinimum(module.tables);
    tableRoom = Math.min(options.tableElements, MAX_GRANULES) - elements;
    if (tableRoom < 0) throw overCap("elements in tables", "Elements", elements, options.tableElements);
    const spare = tableRoom;
    tableMax = module.tables.map(({ limits }) => limits.min + spare);
  }
  return { memoryMax, tableMax, room, tableRoom };
}

interface Growable {
  readonly imported: boolean;
  readonly limits: { readonly min: number; readonly max: number | undefined };
}

/** Imported ones are made, and capped, by somebody else. */
function declaredMinimum(items: readonly Growable[]): number {
  return items.reduce((sum, { imported, limits }) => sum + (imported ? 0 : limits.min), 0);
}

function countLowered(items: readonly Growable[], max: readonly (number | undefined)[]): number {
  return items.filter(({ imported, limits }, index) => {
    const cap = max[index];
    return !imported && cap !== undefined && (limits.max === undefined || limits.max > cap);
  }).length;
}

function overCap(what: string, unit: "Bytes" | "Elements", declared: number, cap: number): KeelsonError {
  return new KeelsonError("OUT_OF_MEMORY", `the module declares ${declared} ${what}, its cap is ${cap}`, {
    hint: `raise the cap to at least ${declared}, or build the module with less`,
    details: { [`min${unit}`]: declared, [`limit${unit}`]: cap },
  });
}

const FUNCTION = 0;
const TABLE = 1;

interface PrivateNames {
  readonly exports: MeterMeta["exports"];
  readonly list: readonly { readonly name: string; readonly kind: number; readonly index: number }[];
}

/** Names for the private exports, which no export of the module has. What they lead to is appended to the layout. */
function privateNames(module: ModuleInfo, layout: Layout): PrivateNames {
  let prefix = "keelson:";
  while ([...module.exports].some((name) => name.startsWith(prefix))) prefix += "'";
  const list: { name: string; kind: number; index: number }[] = [];
  const add = (name: string, kind: number, index: number): string => {
    list.push({ name: prefix + name, kind, index });
    return prefix + name;
  };
  const read = (name: string, global: number): string =>
    add(name, FUNCTION, helpers.readGlobal(layout, global));
  const write = (name: string, global: number): string =>
    add(name, FUNCTION, helpers.writeGlobal(layout, global));
  const { fuel, depth, room } = layout;
  const exports = {
    fuel: read("fuel", fuel),
    setFuel: write("set-fuel", fuel),
    refill: add("refill", TABLE, layout.refillTable),
    ...(depth < 0 ? {} : { depth: read("depth", depth), setDepth: write("set-depth", depth) }),
    ...(room < 0 ? {} : { room: read("room", room) }),
    ...(module.start === undefined ? {} : { start: add("start", FUNCTION, module.start) }),
  };
  return { exports, list };
}

/** The section that tells the engine which branches are unlikely: see the branch hinting proposal. */
function encodeHints(hints: readonly [number, number[]][]): Uint8Array | undefined {
  if (hints.length === 0) return undefined;
  const writer = new Writer(1024);
  writer.byte(SectionId.custom);
  writer.sized(() => {
    writer.name("metadata.code.branch_hint");
    writer.u32(hints.length);
    for (const [index, offsets] of hints) {
      writer.u32(index);
      writer.u32(offsets.length);
      for (const offset of offsets) {
        writer.u32(offset);
        writer.u32(1);
        writer.byte(0);
      }
    }
  });
  return writer.finish();
}
