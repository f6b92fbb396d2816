/** What the emitter does at a position of a body; four numbers each: position, kind, and two facts. */
export const Action = {
  /** Charge segment a. */
  charge: 0,
  /** A loop's header stands here; a: its number, b: where the header ends. */
  loop: 1,
  /** The `end` of loop a stands here; b: 1 where its body's end is reached. */
  loopEnd: 2,
  /** A label stands here; a, b: the innermost loops around the branch and its target. */
  branch: 3,
  /** The count of a br_table's labels stands here; a: the innermost loop, b: where the targets' loops are listed. */
  branchTable: 4,
  /**
   * A call of a function of this module; a: twice its number, and 1 more where another call comes straight after it, with
   * no other way there; b: where the instruction ends. The other calls alike.
   */
  call: 5,
  callImport: 6,
  /** A call through a table or a reference; there is no number. */
  callUnknown: 7,
  /** a: depth of labels, b: innermost loop. */
  return: 8,
  /** a: function. */
  tailCall: 9,
  /** a: function, b: where the instruction ends. */
  tailCallImport: 10,
  tailCallUnknown: 11,
  throw: 12,
  /** Control arrives here from a caught exception. */
  landing: 13,
  /** Code from here to a cannot be reached; b: 1 where the engine has to be told. */
  dead: 14,
  /** A bulk operation whose length is on top of the stack; a: unit (see Bulk), b: 1 when the length is an i64. */
  bulk: 15,
  /** An allocation of a granules. */
  allocate: 16,
  /** An allocation whose length is on top of the stack; a: bytes of one element. */
  allocateArray: 17,
  /** a: memory, b: where the instruction ends. */
  memoryGrow: 18,
  tableGrow: 19,
  /** a: width (32, 64), b: where the instruction ends. */
  wait: 20,
} as const;

/** How a bulk operation's length becomes fuel: 16 bytes a unit, an array's element a unit, a table's entry 8 units. */
export const Bulk = { bytes: 0, elements: 1, entries: 2 } as const;
