/** Limits on the module itself, checked before anything is compiled; past one the answer is `WASM_TOO_LARGE`. */
export interface MeterLimits {
  /** Bytes of the module as it comes; default 64 MiB. */
  readonly maxBytes: number;
  /** Bytes after rewriting; default 256 MiB. */
  readonly maxMeteredBytes: number;
  /** Functions, imported ones included; default 200,000. */
  readonly maxFunctions: number;
  /** Exports, each of which costs every instance some microseconds of its host's thread; default 50,000. */
  readonly maxExports: number;
  /** Memories, imported ones included; default 16. Each takes some gigabytes of address space, however small it is. */
  readonly maxMemories: number;
  /** Tables, imported ones included; default 1,000. */
  readonly maxTables: number;
  /**
   * Items of element segments and instructions of constant expressions, all together; default 500,000. Each instance is made of them before anything
   * of it can be stopped, a million in a tenth of a second.
   */
  readonly maxInitializers: number;
  /** Bytes of one function's body; default 4 MiB. */
  readonly maxFunctionBytes: number;
  /** Locals of one function, parameters not counted; default 50,000, which is the engines' own limit. */
  readonly maxLocals: number;
  /** Blocks inside one another in a function; default 50,000. */
  readonly maxNesting: number;
  /**
   * Values that engines note in one function for where ways of control part and meet: locals and operands, times blocks and branches, of which an `if`
   * counts as 3, a label of `br_table` as 4 and a loop as 16; where exceptions may be caught, calls count as well. Default 32,000,000. It decides what time and memory compilers take, far more than a function's size:
   * at the limit two tenths of a second at its first call, and up to a GiB in the background, until it is optimized.
   */
  readonly maxMergedValues: number;
  /**
   * Milliseconds that validating and rewriting take and compiling will take, judged by how long the engine needs to
   * validate the module, the faster time of two if the first was too long; default 10,000. A module with more than 16 MiB of code is validated a MiB, or a larger function, at a time, so that it is refused soon after; an engine is not interrupted in one. Held only where {@link MeterOptions.now} is given, and
   * for modules larger than 16 KiB.
   */
  readonly maxCompileMs: number;
}

/** The limits that hold where none are given. */
export const defaultMeterLimits: MeterLimits = {
  maxBytes: 64 * 2 ** 20,
  maxMeteredBytes: 256 * 2 ** 20,
  maxFunctions: 200_000,
  maxExports: 50_000,
  maxMemories: 16,
  maxTables: 1_000,
  maxInitializers: 500_000,
  maxFunctionBytes: 4 * 2 ** 20,
  maxLocals: 50_000,
  maxNesting: 50_000,
  maxMergedValues: 32_000_000,
  maxCompileMs: 10_000,
};

/** How a module is metered. All of it is part of a compile cache's key. */
export interface MeterOptions {
  /**
   * `"exact"` counts fuel: each basic block is charged what its instructions cost, so that the same input uses the
   * same fuel everywhere. `"deadline"` only makes the guest stoppable: it costs less and its units mean little.
   * Either way control passes a test at each function's entry and each loop's header.
   */
  readonly mode: "deadline" | "exact";
  /** Bytes of stack that nested calls may take together; without it depth is not counted. */
  readonly stackBytes?: number;
  /**
   * Bytes that the module's memories and garbage-collected objects may take together, declared minimums included;
   * `memory.grow` beyond it answers -1. Without it they are not capped.
   */
  readonly memoryBytes?: number;
  /** Elements that the module's tables may hold together; `table.grow` beyond it answers -1. Without it not capped. */
  readonly tableElements?: number;
  /** Ask the host after each call of an import, where time may have passed. Default true. */
  readonly checkImports?: boolean;
  /** `"refuse"` makes relaxed SIMD `UNSUPPORTED_WASM`: its results differ between machines. Default `"allow"`. */
  readonly relaxedSimd?: "allow" | "refuse";
  /** Keep a map from the metered code's offsets to the original's. Default false. */
  readonly offsetMap?: boolean;
  /** Tell the engine that tests rarely fail. Default true. */
  readonly branchHints?: boolean;
  readonly limits?: Partial<MeterLimits>;
  /** A monotonic clock, ms, for `maxCompileMs`. */
  readonly now?: () => number;
}

/** What the runtime half has to know about a metered module; plain data, to be kept beside it in a cache. */
export interface MeterMeta {
  /** Of the meter that made it: what another version made is not to be used. */
  readonly version: number;
  readonly mode: "deadline" | "exact";
  /** Functions of the original, imported ones counted: what has a higher number is the meter's own. */
  readonly functions: number;
  /**
   * Numbers of imported functions from which the guest may come back without asking, when the host has called it back from there: those that can be
   * reached through tables and references, where a call does not show that it leaves the guest; all of them where it can catch what they throw.
   */
  readonly watchedImports: readonly number[];
  /** The private exports' names. */
  readonly exports: {
    /** Functions: fuel left in the slice. */
    readonly fuel: string;
    readonly setFuel: string;
    /** Table: slot 0 takes the refill function. */
    readonly refill: string;
    /** Functions: bytes of stack left. */
    readonly depth?: string;
    readonly setDepth?: string;
    /** Function: what memories and objects may still take, in units of 16 bytes. */
    readonly room?: string;
    /** Functions: keep which large functions were called, whose first call costs more; and have it as it was kept. */
    readonly keepCalled?: string;
    readonly restoreCalled?: string;
    /** The module's start function, which the host has to call before any other export. */
    readonly start?: string;
  };
  /** Bytes of stack at an entry from outside; 0 when depth is not counted. */
  readonly stackBytes: number;
  /** The cap on memories and objects, bytes; absent when they are not capped. */
  readonly memoryBytes?: number;
}

/** What was done to the module, for people. */
export interface MeterReport {
  readonly originalBytes: number;
  readonly meteredBytes: number;
  /** Functions with a body. */
  readonly functions: number;
  /** Functions too small to need any code: their callers pay. */
  readonly leafFunctions: number;
  readonly loops: number;
  /** Loops that test without a call in their body. */
  readonly hotLoops: number;
  /** Limits that were lowered or set. */
  readonly cappedMemories: number;
  readonly cappedTables: number;
  readonly hasStart: boolean;
}

/** Version of the rewriting: fuel totals and the shape of {@link MeterMeta} are stable within one. */
export const METER_VERSION = 15;
