// The instruction set as data. One row covers instructions with consecutive codes that share everything but the name:
// [first code, immediates, net change of the operand stack's height, cost in fuel, role, names]
// "-" in the names is a code that no finished proposal uses. What has no row is unknown, and unknown fails closed.

/** What follows an opcode in the byte stream. */
export const Immediate = {
  none: 0,
  /** One LEB128 number: an index, a constant or a heap type. */
  leb: 1,
  /** Two LEB128 numbers. */
  leb2: 2,
  memory: 3,
  bytes4: 4,
  bytes8: 5,
  bytes16: 6,
  byte: 7,
  memoryLane: 8,
  blockType: 9,
  branchTable: 10,
  tryTable: 11,
  types: 12,
  heapType: 13,
  castBranch: 14,
} as const;

/** What the meter has to do about an instruction; `plain` is copied as it stands. */
export const Role = {
  plain: 0,
  unknown: 1,
  unreachable: 2,
  block: 3,
  loop: 4,
  if: 5,
  else: 6,
  try: 7,
  catch: 8,
  catchAll: 9,
  delegate: 10,
  tryTable: 11,
  end: 12,
  throw: 13,
  rethrow: 14,
  throwRef: 15,
  branch: 16,
  branchIf: 17,
  branchTable: 18,
  return: 19,
  call: 20,
  callIndirect: 21,
  callRef: 22,
  tailCall: 23,
  tailCallIndirect: 24,
  tailCallRef: 25,
  constant: 26,
  memoryGrow: 27,
  tableGrow: 28,
  bulkMemory: 29,
  bulkTable: 30,
  bulkArray: 31,
  structNew: 32,
  structNewDefault: 33,
  arrayNew: 34,
  arrayNewFixed: 35,
  wait: 36,
} as const;

type Row = readonly [
  first: number,
  immediates: keyof typeof Immediate,
  delta: number,
  cost: number,
  role: keyof typeof Role,
  names: string,
];

const core: readonly Row[] = [
  [0x00, "none", 0, 0, "unreachable", "unreachable"],
  [0x01, "none", 0, 0, "plain", "nop"],
  [0x02, "blockType", 0, 0, "block", "block"],
  [0x03, "blockType", 0, 1, "loop", "loop"],
  [0x04, "blockType", -1, 1, "if", "if"],
  [0x05, "none", 0, 0, "else", "else"],
  [0x06, "blockType", 0, 1, "try", "try"],
  [0x07, "leb", 0, 10, "catch", "catch"],
  [0x08, "leb", 0, 500, "throw", "throw"],
  [0x09, "leb", 0, 500, "rethrow", "rethrow"],
  [0x0a, "none", 0, 500, "throwRef", "throw_ref"],
  [0x0b, "none", 0, 0, "end", "end"],
  [0x0c, "leb", 0, 1, "branch", "br"],
  [0x0d, "leb", -1, 1, "branchIf", "br_if"],
  [0x0e, "branchTable", -1, 2, "branchTable", "br_table"],
  [0x0f, "none", 0, 1, "return", "return"],
  [0x10, "leb", 0, 4, "call", "call"],
  [0x11, "leb2", -1, 8, "callIndirect", "call_indirect"],
  [0x12, "leb", 0, 4, "tailCall", "return_call"],
  [0x13, "leb2", 0, 8, "tailCallIndirect", "return_call_indirect"],
  [0x14, "leb", -1, 8, "callRef", "call_ref"],
  [0x15, "leb", 0, 8, "tailCallRef", "return_call_ref"],
  [0x18, "leb", 0, 0, "delegate", "delegate"],
  [0x19, "none", 0, 10, "catchAll", "catch_all"],
  [0x1a, "none", -1, 0, "plain", "drop"],
  [0x1b, "none", -2, 1, "plain", "select"],
  [0x1c, "types", -2, 1, "plain", "select_t"],
  [0x1f, "tryTable", 0, 1, "tryTable", "try_table"],
  [0x20, "leb", 1, 1, "plain", "local.get"],
  [0x21, "leb", -1, 1, "plain", "local.set"],
  [0x22, "leb", 0, 1, "plain", "local.tee"],
  [0x23, "leb", 1, 1, "plain", "global.get"],
  [0x24, "leb", -1, 1, "plain", "global.set"],
  [0x25, "leb", 0, 3, "plain", "table.get"],
  [0x26, "leb", -2, 3, "plain", "table.set"],
  [0x28, "memory", 0, 2, "plain", "i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s"],
  [
    0x2f,
    "memory",
    0,
    2,
    "plain",
    "i32.load16_u i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s",
  ],
  [0x35, "memory", 0, 2, "plain", "i64.load32_u"],
  [
    0x36,
    "memory",
    -2,
    2,
    "plain",
    "i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8",
  ],
  [0x3d, "memory", -2, 2, "plain", "i64.store16 i64.store32"],
  [0x3f, "leb", 1, 2, "plain", "memory.size"],
  [0x40, "leb", 0, 1000, "memoryGrow", "memory.grow"],
  [0x41, "leb", 1, 1, "constant", "i32.const"],
  [0x42, "leb", 1, 1, "plain", "i64.const"],
  [0x43, "bytes4", 1, 1, "plain", "f32.const"],
  [0x44, "bytes8", 1, 1, "plain", "f64.const"],
  [0x45, "none", 0, 1, "plain", "i32.eqz"],
  [
    0x46,
    "none",
    -1,
    1,
    "plain",
    "i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u",
  ],
  [0x50, "none", 0, 1, "plain", "i64.eqz"],
  [
    0x51,
    "none",
    -1,
    1,
    "plain",
    "i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u",
  ],
  [
    0x5b,
    "none",
    -1,
    1,
    "plain",
    "f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge",
  ],
  [0x67, "none", 0, 1, "plain", "i32.clz i32.ctz i32.popcnt"],
  [0x6a, "none", -1, 1, "plain", "i32.add i32.sub i32.mul"],
  [0x6d, "none", -1, 8, "plain", "i32.div_s i32.div_u i32.rem_s i32.rem_u"],
  [0x71, "none", -1, 1, "plain", "i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr"],
  [0x79, "none", 0, 1, "plain", "i64.clz i64.ctz i64.popcnt"],
  [0x7c, "none", -1, 1, "plain", "i64.add i64.sub i64.mul"],
  [0x7f, "none", -1, 12, "plain", "i64.div_s i64.div_u i64.rem_s i64.rem_u"],
  [0x83, "none", -1, 1, "plain", "i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr"],
  [0x8b, "none", 0, 2, "plain", "f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest"],
  [0x91, "none", 0, 8, "plain", "f32.sqrt"],
  [0x92, "none", -1, 2, "plain", "f32.add f32.sub f32.mul"],
  [0x95, "none", -1, 6, "plain", "f32.div"],
  [0x96, "none", -1, 3, "plain", "f32.min f32.max f32.copysign"],
  [0x99, "none", 0, 2, "plain", "f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest"],
  [0x9f, "none", 0, 10, "plain", "f64.sqrt"],
  [0xa0, "none", -1, 2, "plain", "f64.add f64.sub f64.mul"],
  [0xa3, "none", -1, 8, "plain", "f64.div"],
  [0xa4, "none", -1, 3, "plain", "f64.min f64.max f64.copysign"],
  [0xa7, "none", 0, 1, "plain", "i32.wrap_i64"],
  [0xa8, "none", 0, 3, "plain", "i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u"],
  [0xac, "none", 0, 1, "plain", "i64.extend_i32_s i64.extend_i32_u"],
  [0xae, "none", 0, 3, "plain", "i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u"],
  [0xb2, "none", 0, 3, "plain", "f32.convert_i32_s f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u"],
  [0xb6, "none", 0, 2, "plain", "f32.demote_f64"],
  [0xb7, "none", 0, 3, "plain", "f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u"],
  [0xbb, "none", 0, 2, "plain", "f64.promote_f32"],
  [
    0xbc,
    "none",
    0,
    1,
    "plain",
    "i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64",
  ],
  [0xc0, "none", 0, 1, "plain", "i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s"],
  [0xd0, "heapType", 1, 1, "plain", "ref.null"],
  [0xd1, "none", 0, 1, "plain", "ref.is_null"],
  [0xd2, "leb", 1, 2, "plain", "ref.func"],
  [0xd3, "none", -1, 1, "plain", "ref.eq"],
  [0xd4, "none", 0, 1, "plain", "ref.as_non_null"],
  [0xd5, "leb", 0, 1, "branchIf", "br_on_null"],
  [0xd6, "leb", -1, 1, "branchIf", "br_on_non_null"],
];

const gc: readonly Row[] = [
  [0, "leb", 1, 10, "structNew", "struct.new"],
  [1, "leb", 1, 10, "structNewDefault", "struct.new_default"],
  [2, "leb2", 0, 2, "plain", "struct.get struct.get_s struct.get_u"],
  [5, "leb2", -2, 2, "plain", "struct.set"],
  [6, "leb", -1, 10, "arrayNew", "array.new"],
  [7, "leb", 0, 10, "arrayNew", "array.new_default"],
  [8, "leb2", 1, 10, "arrayNewFixed", "array.new_fixed"],
  [9, "leb2", -1, 20, "arrayNew", "array.new_data array.new_elem"],
  [11, "leb", -1, 2, "plain", "array.get array.get_s array.get_u"],
  [14, "leb", -3, 2, "plain", "array.set"],
  [15, "none", 0, 1, "plain", "array.len"],
  [16, "leb", -4, 10, "bulkArray", "array.fill"],
  [17, "leb2", -5, 10, "bulkArray", "array.copy"],
  [18, "leb2", -4, 10, "bulkArray", "array.init_data array.init_elem"],
  [20, "heapType", 0, 3, "plain", "ref.test ref.test_null ref.cast ref.cast_null"],
  [24, "castBranch", 0, 4, "branchIf", "br_on_cast br_on_cast_fail"],
  [26, "none", 0, 1, "plain", "any.convert_extern extern.convert_any ref.i31 i31.get_s i31.get_u"],
];

const misc: readonly Row[] = [
  [
    0,
    "none",
    0,
    3,
    "plain",
    "i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u",
  ],
  [
    4,
    "none",
    0,
    3,
    "plain",
    "i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u",
  ],
  [8, "leb2", -3, 20, "bulkMemory", "memory.init"],
  [9, "leb", 0, 5, "plain", "data.drop"],
  [10, "leb2", -3, 20, "bulkMemory", "memory.copy"],
  [11, "leb", -3, 20, "bulkMemory", "memory.fill"],
  [12, "leb2", -3, 20, "bulkTable", "table.init"],
  [13, "leb", 0, 5, "plain", "elem.drop"],
  [14, "leb2", -3, 20, "bulkTable", "table.copy"],
  [15, "leb", -1, 1000, "tableGrow", "table.grow"],
  [16, "leb", 1, 2, "plain", "table.size"],
  [17, "leb", -3, 20, "bulkTable", "table.fill"],
];

const ordered = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const floatOrdered = "eq ne lt gt le ge";
const loads =
  "v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s v128.load32x2_u";
const splats = "i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat";

const simd: readonly Row[] = [
  [
    0,
    "memory",
    0,
    3,
    "plain",
    `${loads} v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat`,
  ],
  [11, "memory", -2, 3, "plain", "v128.store"],
  [12, "bytes16", 1, 1, "plain", "v128.const"],
  [13, "bytes16", -1, 2, "plain", "i8x16.shuffle"],
  [14, "none", -1, 2, "plain", "i8x16.swizzle"],
  [15, "none", 0, 2, "plain", splats],
  [21, "byte", 0, 2, "plain", "i8x16.extract_lane_s i8x16.extract_lane_u"],
  [23, "byte", -1, 2, "plain", "i8x16.replace_lane"],
  [24, "byte", 0, 2, "plain", "i16x8.extract_lane_s i16x8.extract_lane_u"],
  [26, "byte", -1, 2, "plain", "i16x8.replace_lane"],
  [27, "byte", 0, 2, "plain", "i32x4.extract_lane"],
  [28, "byte", -1, 2, "plain", "i32x4.replace_lane"],
  [29, "byte", 0, 2, "plain", "i64x2.extract_lane"],
  [30, "byte", -1, 2, "plain", "i64x2.replace_lane"],
  [31, "byte", 0, 2, "plain", "f32x4.extract_lane"],
  [32, "byte", -1, 2, "plain", "f32x4.replace_lane"],
  [33, "byte", 0, 2, "plain", "f64x2.extract_lane"],
  [34, "byte", -1, 2, "plain", "f64x2.replace_lane"],
  [35, "none", -1, 2, "plain", lanes("i8x16", ordered)],
  [45, "none", -1, 2, "plain", lanes("i16x8", ordered)],
  [55, "none", -1, 2, "plain", lanes("i32x4", ordered)],
  [65, "none", -1, 2, "plain", lanes("f32x4", floatOrdered)],
  [71, "none", -1, 2, "plain", lanes("f64x2", floatOrdered)],
  [77, "none", 0, 1, "plain", "v128.not"],
  [78, "none", -1, 1, "plain", "v128.and v128.andnot v128.or v128.xor"],
  [82, "none", -2, 2, "plain", "v128.bitselect"],
  [83, "none", 0, 2, "plain", "v128.any_true"],
  [84, "memoryLane", -1, 3, "plain", "v128.load8_lane v128.load16_lane v128.load32_lane v128.load64_lane"],
  [
    88,
    "memoryLane",
    -2,
    3,
    "plain",
    "v128.store8_lane v128.store16_lane v128.store32_lane v128.store64_lane",
  ],
  [92, "memory", 0, 3, "plain", "v128.load32_zero v128.load64_zero"],
  [94, "none", 0, 2, "plain", "f32x4.demote_f64x2_zero f64x2.promote_low_f32x4"],
  [96, "none", 0, 2, "plain", lanes("i8x16", "abs neg popcnt all_true bitmask")],
  [101, "none", -1, 2, "plain", lanes("i8x16", "narrow_i16x8_s narrow_i16x8_u")],
  [103, "none", 0, 2, "plain", lanes("f32x4", "ceil floor trunc nearest")],
  [
    107,
    "none",
    -1,
    2,
    "plain",
    lanes("i8x16", "shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u"),
  ],
  [116, "none", 0, 2, "plain", "f64x2.ceil f64x2.floor"],
  [118, "none", -1, 2, "plain", lanes("i8x16", "min_s min_u max_s max_u")],
  [122, "none", 0, 2, "plain", "f64x2.trunc"],
  [123, "none", -1, 2, "plain", "i8x16.avgr_u"],
  [124, "none", 0, 2, "plain", lanes("i16x8", "extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u")],
  [126, "none", 0, 2, "plain", lanes("i32x4", "extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u")],
  [128, "none", 0, 2, "plain", "i16x8.abs i16x8.neg"],
  [130, "none", -1, 2, "plain", "i16x8.q15mulr_sat_s"],
  [131, "none", 0, 2, "plain", "i16x8.all_true i16x8.bitmask"],
  [133, "none", -1, 2, "plain", "i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u"],
  [135, "none", 0, 2, "plain", widened("i16x8", "extend", "i8x16")],
  [
    139,
    "none",
    -1,
    2,
    "plain",
    lanes("i16x8", "shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u"),
  ],
  [148, "none", 0, 2, "plain", "f64x2.nearest"],
  [149, "none", -1, 2, "plain", lanes("i16x8", "mul min_s min_u max_s max_u")],
  [155, "none", -1, 2, "plain", "i16x8.avgr_u"],
  [156, "none", -1, 2, "plain", widened("i16x8", "extmul", "i8x16")],
  [160, "none", 0, 2, "plain", "i32x4.abs i32x4.neg"],
  [163, "none", 0, 2, "plain", "i32x4.all_true i32x4.bitmask"],
  [167, "none", 0, 2, "plain", widened("i32x4", "extend", "i16x8")],
  [171, "none", -1, 2, "plain", "i32x4.shl i32x4.shr_s i32x4.shr_u i32x4.add"],
  [177, "none", -1, 2, "plain", "i32x4.sub"],
  [181, "none", -1, 2, "plain", lanes("i32x4", "mul min_s min_u max_s max_u dot_i16x8_s")],
  [188, "none", -1, 2, "plain", widened("i32x4", "extmul", "i16x8")],
  [192, "none", 0, 2, "plain", "i64x2.abs i64x2.neg"],
  [195, "none", 0, 2, "plain", "i64x2.all_true i64x2.bitmask"],
  [199, "none", 0, 2, "plain", widened("i64x2", "extend", "i32x4")],
  [203, "none", -1, 2, "plain", "i64x2.shl i64x2.shr_s i64x2.shr_u i64x2.add"],
  [209, "none", -1, 2, "plain", "i64x2.sub"],
  [213, "none", -1, 3, "plain", lanes("i64x2", "mul eq ne lt_s gt_s le_s ge_s")],
  [220, "none", -1, 2, "plain", widened("i64x2", "extmul", "i32x4")],
  [224, "none", 0, 2, "plain", "f32x4.abs f32x4.neg"],
  [227, "none", 0, 10, "plain", "f32x4.sqrt"],
  [228, "none", -1, 3, "plain", lanes("f32x4", "add sub mul div min max pmin pmax")],
  [236, "none", 0, 2, "plain", "f64x2.abs f64x2.neg"],
  [239, "none", 0, 12, "plain", "f64x2.sqrt"],
  [240, "none", -1, 3, "plain", lanes("f64x2", "add sub mul div min max pmin pmax")],
  [248, "none", 0, 3, "plain", "i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u"],
  [250, "none", 0, 3, "plain", "f32x4.convert_i32x4_s f32x4.convert_i32x4_u"],
  [252, "none", 0, 3, "plain", "i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero"],
  [254, "none", 0, 3, "plain", "f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u"],
  [0x100, "none", -1, 2, "plain", "i8x16.relaxed_swizzle"],
  [0x101, "none", 0, 3, "plain", "i32x4.relaxed_trunc_f32x4_s i32x4.relaxed_trunc_f32x4_u"],
  [0x103, "none", 0, 3, "plain", "i32x4.relaxed_trunc_f64x2_s_zero i32x4.relaxed_trunc_f64x2_u_zero"],
  [
    0x105,
    "none",
    -2,
    3,
    "plain",
    "f32x4.relaxed_madd f32x4.relaxed_nmadd f64x2.relaxed_madd f64x2.relaxed_nmadd",
  ],
  [0x109, "none", -2, 2, "plain", "i8x16.relaxed_laneselect i16x8.relaxed_laneselect"],
  [0x10b, "none", -2, 2, "plain", "i32x4.relaxed_laneselect i64x2.relaxed_laneselect"],
  [0x10d, "none", -1, 3, "plain", "f32x4.relaxed_min f32x4.relaxed_max f64x2.relaxed_min f64x2.relaxed_max"],
  [0x111, "none", -1, 2, "plain", "i16x8.relaxed_q15mulr_s i16x8.relaxed_dot_i8x16_i7x16_s"],
  [0x113, "none", -2, 3, "plain", "i32x4.relaxed_dot_i8x16_i7x16_add_s"],
];

const widths = "i32 i64 i32 i32 i64 i64 i64".split(" ");
const narrow = ["", "", "8", "16", "8", "16", "32"];

const atomics: readonly Row[] = [
  [0, "memory", -1, 50, "plain", "memory.atomic.notify"],
  [1, "memory", -2, 50, "wait", "memory.atomic.wait32 memory.atomic.wait64"],
  [3, "byte", 0, 10, "plain", "atomic.fence"],
  [0x10, "memory", 0, 5, "plain", atomic((size) => (size ? `load${size}_u` : "load"))],
  [0x17, "memory", -2, 10, "plain", atomic((size) => `store${size}`)],
  ...["add", "sub", "and", "or", "xor", "xchg"].map((operation, index): Row => [
    0x1e + 7 * index,
    "memory",
    -1,
    20,
    "plain",
    atomic((size) => (size ? `rmw${size}.${operation}_u` : `rmw.${operation}`)),
  ]),
  [0x48, "memory", -2, 20, "plain", atomic((size) => (size ? `rmw${size}.cmpxchg_u` : "rmw.cmpxchg"))],
];

function lanes(shape: string, names: string): string {
  return names.replaceAll(/(\S+)/g, `${shape}.$1`);
}

function widened(shape: string, operation: string, from: string): string {
  return lanes(shape, `low_${from}_s high_${from}_s low_${from}_u high_${from}_u`).replaceAll(
    ".",
    `.${operation}_`,
  );
}

function atomic(name: (size: string) => string): string {
  return widths.map((type, index) => `${type}.atomic.${name(narrow[index] ?? "")}`).join(" ");
}

/** Where the instructions behind a prefix byte begin in the tables, and how many fit. */
const prefixes = [
  { byte: 0xfb, base: 0x100, room: 0x40, rows: gc },
  { byte: 0xfc, base: 0x140, room: 0x40, rows: misc },
  { byte: 0xfd, base: 0x180, room: 0x200, rows: simd },
  { byte: 0xfe, base: 0x380, room: 0x80, rows: atomics },
] as const;

const SIZE = 0x400;

/** The slot in the tables of the first instruction behind prefix byte 0xfb, 0xfc, 0xfd, 0xfe (indexed by byte - 0xfb). */
export const prefixBase: readonly number[] = prefixes.map(({ base }) => base);
/** How many slots the prefix byte has (indexed by byte - 0xfb); a larger code is unknown. */
export const prefixRoom: readonly number[] = prefixes.map(({ room }) => room);

/** The first slot of the relaxed SIMD instructions. */
export const relaxedSimd: number = 0x180 + 0x100;
/** The slot behind the last SIMD instruction. */
export const simdEnd: number = 0x380;

/** {@link Immediate} of each slot. */
export const immediateOf: Uint8Array = new Uint8Array(SIZE);
/** {@link Role} of each slot; `unknown` where no finished proposal has an instruction. */
export const roleOf: Uint8Array = new Uint8Array(SIZE).fill(Role.unknown);
/** The fuel each instruction costs; dynamic parts (bulk operations) come on top. */
export const costOf: Uint16Array = new Uint16Array(SIZE);
/** The net change of the operand stack's height where it does not depend on a type. */
export const deltaOf: Int8Array = new Int8Array(SIZE);
/**
 * All four of them in one number, for the loop that reads straight code: from the lowest bit on {@link Role}, {@link Immediate},
 * height and cost; see {@link roleIn} and its kin.
 */
export const factsOf: Int32Array = new Int32Array(SIZE);
/** The name in the text format, for messages; empty where unknown. */
export const nameOf: readonly string[] = fill();

/** The role in a number of {@link factsOf}. */
export function roleIn(facts: number): number {
  return facts & 0x3f;
}

/** The immediate in a number of {@link factsOf}. */
export function immediateIn(facts: number): number {
  return (facts >> 6) & 0xf;
}

/** The change of the operand stack's height in a number of {@link factsOf}. */
export function deltaIn(facts: number): number {
  return ((facts >> 10) & 0xff) - 128;
}

/** The cost in a number of {@link factsOf}. */
export function costIn(facts: number): number {
  return facts >>> 18;
}

function fill(): string[] {
  const names = new Array<string>(SIZE).fill("");
  const put = (base: number, rows: readonly Row[]): void => {
    for (const [first, immediates, delta, cost, role, list] of rows) {
      for (const [index, name] of list.split(" ").entries()) {
        const slot = base + first + index;
        immediateOf[slot] = Immediate[immediates];
        deltaOf[slot] = delta;
        costOf[slot] = cost;
        roleOf[slot] = Role[role];
        names[slot] = name;
      }
    }
  };
  put(0, core);
  for (const { base, rows } of prefixes) put(base, rows);
  for (let slot = 0; slot < SIZE; slot++) {
    const height = deltaOf[slot]! + 128;
    factsOf[slot] = roleOf[slot]! | (immediateOf[slot]! << 6) | (height << 10) | (costOf[slot]! << 18);
  }
  return names;
}

/** How an instruction is called in a message: its name, or its code when no finished proposal has it. */
export function describeOpcode(slot: number): string {
  const name = nameOf[slot];
  if (name) return name;
  const prefix = prefixes.findLast(({ base }) => slot >= base);
  return prefix
    ? `opcode 0x${prefix.byte.toString(16)} 0x${(slot - prefix.base).toString(16)}`
    : `opcode 0x${slot.toString(16)}`;
}
