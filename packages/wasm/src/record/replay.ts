import {
  encodeValue,
  isKeelsonError,
  KeelsonError,
  type Bytes,
  type Call,
  type Measurement,
  type Value,
} from "@keelson/core";
import { invalidOptions, requireOptions, shown } from "@keelson/core/plain";
import { createCompileCache } from "../cache/compile-cache.ts";
import { sha256, toHex } from "../cache/digest.ts";
import { Governor } from "../governor/index.ts";
import { METER_VERSION } from "../meter/index.ts";
import { compileBytes, makeBlueprint } from "../module/blueprint.ts";
import { settle } from "../module/settings.ts";
import { createGuestInstance } from "../instance/create-guest.ts";
import { replayContext } from "./replay-context.ts";
import { codeOf } from "./record-call.ts";
import { hashMemories } from "./memory-hash.ts";
import { fromPlain, requirePlainData, toPlain } from "./plain.ts";
import { Replayer } from "./replayer.ts";
import type { CallRecording, Replayed, ReplayOptions } from "./recording.ts";
import { invalidRecord, requireRecord } from "./text.ts";

/** Units that a call run again may use beyond what the record says before it is given up. */
const MARGIN_FUEL = 1_000_000;

/** Limits of time: what stopped a call by them is found again by other means. */
const timed: ReadonlySet<string | undefined> = new Set(["cpuMs", "deadline", "signal"]);

/**
 * Runs a recorded call again, without a kernel, without its host and without its time limits: what the host answered comes from the record, and a
 * guest that was stopped is stopped at the same instruction, whatever had stopped it.
 *
 * @param source the bytes of the module that the record was made with
 * @throws KeelsonError `REPLAY_DIVERGED` when the module is another one, when it asks its host for something else, or when it ends otherwise
 * (`details.differences`; unless `strict` is false); `DEADLINE_EXCEEDED` when it takes longer than `timeoutMs`; `INVALID_RECORD`; and what compiling the module throws
 */
export async function replay(
  record: CallRecording,
  source: Bytes,
  options: ReplayOptions,
): Promise<Replayed> {
  if (!(source instanceof Uint8Array))
    throw invalidOptions(`The module to replay is ${shown(source)}`, "give its bytes, a Uint8Array");
  requireOptions(
    "replay",
    options,
    { clock: "object", abi: "object", timeoutMs: 0, strict: "boolean" },
    Infinity,
  );
  requireClock(options?.clock);
  requirePlain(record);
  const strict = options.strict ?? true;
  const differences = await compareSubjects(record, source);
  if (strict && differences.length > 0) throw diverged(record, differences);
  const replayed = await run(record, source, options, differences);
  if (strict && !replayed.equal) throw diverged(record, replayed.differences);
  return replayed;
}

function requireClock(clock: unknown): void {
  if (typeof (clock as ReplayOptions["clock"] | undefined)?.now === "function") return;
  throw invalidOptions(
    "replay needs a clock",
    "give { clock: kernel.platform.clock }, or { clock: performance }",
  );
}

/** Refuses what only looks like a record: one that was parsed holds plain data, and none in a circle. */
function requirePlain(record: unknown): asserts record is CallRecording {
  try {
    requireRecord(record);
    requirePlainData(record);
  } catch (error) {
    if (isKeelsonError(error, "INVALID_RECORD")) throw error;
    throw invalidRecord("it cannot be read as plain data", error);
  }
}

async function compareSubjects({ module, metering }: CallRecording, source: Bytes): Promise<string[]> {
  const differences: string[] = [];
  const found = toHex(await sha256(source));
  if (found !== module.sha256)
    differences.push(`the module is another one: its SHA-256 is ${found}, and was ${module.sha256}`);
  if (metering.meter !== String(METER_VERSION)) {
    differences.push(
      `the record was made by version ${metering.meter} of the meter, and this is ${METER_VERSION}: fuel counts otherwise`,
    );
  }
  return differences;
}

async function run(
  record: CallRecording,
  source: Bytes,
  { clock, abi, timeoutMs = Infinity }: ReplayOptions,
  before: readonly string[],
): Promise<Replayed> {
  const { metering, module, outcome } = record;
  const settings = settle({
    id: module.id,
    source,
    abi: abi ?? module.abi,
    metering: metering.mode,
    limits: {
      memory: metering.memoryBytes,
      stack: metering.stackBytes,
      tableElements: metering.tableElements,
    },
  });
  const context = replayContext(module.id, clock);
  const cache = createCompileCache({ maxModules: 1 });
  const prepared = await compileBytes(source, module.id, settings, cache, context);
  const blueprint = makeBlueprint(settings, module.id, prepared);
  const byTime = timed.has(outcome.limit);
  // Stopped at the first test past this: where it was stopped in the record, if that was at a test.
  const atTest = byTime && outcome.stoppedAtReturn === undefined;
  // Any other ends by itself; what goes another way, and perhaps for ever, is ended not far behind.
  const most = Math.max(outcome.fuel, outcome.fuelAtMost ?? 0);
  const fuel = atTest ? Math.max(0, outcome.fuel - 1) : (metering.fuel ?? most + MARGIN_FUEL);
  const governor = new Governor({ clock });
  const replayer = new Replayer(record.hostCalls, () => (governor.stopAtReturn = 0));
  const measurement: Measurement = { record: false, usage: undefined, recorded: undefined };
  let value: Value;
  let error: unknown;
  let failed = false;
  const deadline = clock.now() + timeoutMs;
  try {
    const metered = blueprint.metered && { ...blueprint.metered, fuel, cpuMs: undefined };
    const instance = createGuestInstance({ ...blueprint, metered }, context, governor, () => {}, replayer);
    if (byTime && outcome.stoppedAtReturn !== undefined) governor.stopAtReturn = outcome.stoppedAtReturn;
    value = await instance.call(callOf(record, measurement, deadline));
  } catch (thrown) {
    if (clock.now() >= deadline) throw tooLong(record, timeoutMs, thrown);
    [error, failed] = [thrown, true];
  }
  const foundAgain =
    byTime &&
    replayer.differences.length === 0 &&
    governor.stopped?.limit === (atTest ? "fuel" : "signal") &&
    governor.stoppedAtReturn === outcome.stoppedAtReturn;
  const code = foundAgain ? outcome.code : failed ? codeOf(error) : "answered";
  const usage = measurement.usage ?? governor.usage;
  const differences = [...before, ...replayer.differences];
  if (replayer.differences.length === 0) {
    if (replayer.left > 0) differences.push(`the guest left out the last ${replayer.left} host calls`);
    if (code !== outcome.code) differences.push(`the call ended as ${code}, and was ${outcome.code}`);
    else if (!failed && print(toPlain(value)) !== print(outcome.value))
      differences.push("the answer differs");
    if (usage.fuel !== outcome.fuel)
      differences.push(`the call used ${usage.fuel} units of fuel, and ${outcome.fuel} before`);
    if ((await hashMemories(replayer.memories)) !== outcome.memorySha256)
      differences.push("the guest's memory differs at the end");
  }
  return {
    outcome: code,
    value: failed ? undefined : value,
    message: failed ? (foundAgain ? outcome.message : (error as Error).message) : undefined,
    fuel: usage.fuel,
    usage,
    equal: differences.length === 0,
    differences,
  };
}

/** A call without a kernel. */
function callOf(
  { method, payload, module }: CallRecording,
  measurement: Measurement,
  deadline: number,
): Call {
  const alone = (): KeelsonError =>
    new KeelsonError("UNSUPPORTED", "A call that is run again has no kernel around it");
  return {
    module: module.id,
    method,
    payload: fromPlain(payload),
    parent: undefined,
    deadline,
    signal: new AbortController().signal,
    measurement,
    invoke: () => Promise.reject(alone()),
    invokeSync: () => {
      throw alone();
    },
  };
}

function print(value: Value): string | undefined {
  return encodeValue(value);
}

function tooLong(
  { module, method, outcome }: CallRecording,
  timeoutMs: number,
  cause: unknown,
): KeelsonError {
  const fuel = outcome.fuel.toLocaleString("en");
  return new KeelsonError(
    "DEADLINE_EXCEEDED",
    `The call of ${module.id}.${method} was run again for ${timeoutMs} ms and had not ended; by its record it takes ${fuel} units of fuel`,
    {
      hint: "give it more time, if you trust the record",
      details: { module: module.id, method, timeoutMs },
      cause,
    },
  );
}

function diverged({ module, method }: CallRecording, differences: readonly string[]): KeelsonError {
  return new KeelsonError(
    "REPLAY_DIVERGED",
    `The call of ${module.id}.${method} did not go as recorded: ${differences[0]}`,
    {
      hint: "give the very module that the record was made with; with strict: false the differences are answered instead",
      details: { module: module.id, method, differences },
    },
  );
}
