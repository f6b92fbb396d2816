/** One of the six promises of Keelson, and what shows it. */
export interface Promised {
  readonly number: number;
  readonly text: string;
  /** Ids of checks, or contracts ending in a dot. Empty: none can show it; {@link reason} says why. */
  readonly checks: readonly string[];
  /** Why no check of its own can show it. */
  readonly reason?: string;
  /** What of it has no check yet. */
  readonly open?: string;
}

/** The promises, each with the checks that hold it: all of them passed means kept. */
export const promises: readonly Promised[] = [
  {
    number: 1,
    text: "A guest that loops for ever is stopped within its deadline, inside the host's thread, on every runtime; no thread is left burning.",
    checks: [
      "wasm.runaway-stopped",
      "wasm.sliced",
      "wasm.fuel",
      "measure.first-call",
      "wasm.recursion-stopped",
      "wasm.slow-host-function",
      "wasm.host-function-aborts",
      "wasm.worker.slow-host-function",
      "wasm.process.slow-host-function",
      "wasm.interrupt",
      "quarantine.",
      "wasm.start-limited",
      "wasm.worker.runaway-stopped",
      "wasm.worker.abort",
      "wasm.process.runaway-stopped",
      "wasm.process.abort",
    ],
  },
  {
    number: 2,
    text: "A guest cannot pass its memory cap, reach a file, address, variable or topic it was not granted, or keep running after its module stopped.",
    checks: [
      "wasm.memory-cap",
      "wasm.table-cap",
      "wasm.initializers-limited",
      "wasm.refusal-told",
      "wasm.answer-bounded",
      "wasm.worker.memory-cap",
      "wasm.process.memory-cap",
      "wasm.async-ended",
      "wasm.worker.async-ended",
      "wasm.process.async-ended",
      "wasm.fresh",
      "wasm.missing-import",
      "bus.door",
      "lifecycle.door-closes",
      "kernel.stop-ends-calls",
      "processes.environment",
      "files.real-follows-links",
    ],
    open: "grants of files and addresses",
  },
  {
    number: 3,
    text: "A module that crashes takes nothing with it: not the kernel, not its siblings, not the caller's other calls.",
    checks: [
      "kernel.call-fails-alone",
      "bus.listener-fails-alone",
      "lifecycle.one-blocks-no-other",
      "lifecycle.failed-load-is-undone",
      "pooled.trap-discards",
      "wasm.trap-discards",
      "wasm.worker.trap-discards",
      "wasm.process.trap-discards",
      "wasm.process.killed-alone",
      "wasm.bad-bytes",
      "wasm.async-fails",
      "wasm.worker.async-fails",
      "wasm.process.async-fails",
      "kernel.manifest-bounded",
      "boundary.crash-restarts",
      "boundary.noise-harmless",
      "boundary.deaf-child",
      "supervisor.restarts-modules",
    ],
  },
  {
    number: 4,
    text: "What was started is ended: after shutdown no process, thread, timer, file handle or lease is left, and the report says so.",
    checks: [
      "wasm.worker.ended",
      "wasm.process.ended",
      "processes.deaf-killed",
      "processes.tree-ended",
      "processes.daemon-ended",
      "boundary.life",
      "boundary.bad-start",
      "pool.close-drains",
      "pooled.stop-disposes",
      "lifecycle.deadlines",
      "kernel.shutdown-report",
      "kernel.shutdown-in-time",
    ],
  },
  {
    number: 5,
    text: "A reload loses no call; a bad new version never takes traffic.",
    checks: ["reload."],
  },
  {
    number: 6,
    text: "Every promise has a conformance check, and the suite's score is published per runtime.",
    checks: [],
    reason: "kept while each of the others has checks",
  },
];
