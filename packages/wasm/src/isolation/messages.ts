import type { Bytes, LogLevel, Usage, Value } from "@keelson/core";
import { asKeelsonError, fromWireError, KeelsonError, toWireError } from "@keelson/core/plain";
import { MAX_JSON_VALUES } from "../abi/json-size.ts";
import { TALLY_CPU_MS, TALLY_FUEL, type Tally } from "../governor/tally.ts";
import type { MeterMeta } from "../meter/index.ts";
import { BrokenMessage, Reader, Writer } from "./codec.ts";

/**
 * What the host says to the guest's side. Each message is one array of bytes that begins with its kind. The host asks one thing at a time and
 * gets one answer; log records and calls of host functions come in between, and the guest's side waits for the answers to these.
 */
export const Ask = { load: 1, make: 2, call: 3, drop: 4, answer: 5 } as const;
/** What the guest's side says to the host: answers to what was asked, and what comes in between. */
export const Tell = { made: 1, answer: 2, error: 3, log: 4, hostCall: 5, more: 6, alive: 7 } as const;

/** Values in a message of the guest's side at most: as many as its guest may answer as JSON, where the first of a list is not counted. */
const MAX_VALUES = 2 * MAX_JSON_VALUES;

/** What all instances of one generation are made from, without the code. Plain data. */
export interface Plan {
  readonly id: string;
  /** Name of the ABI profile. */
  readonly abi: string;
  /** Cap on memory, bytes. */
  readonly maxMemoryBytes: number;
  /** Whether each call is to meet a guest as new. */
  readonly fresh: boolean;
  /** Set when the module was metered. */
  readonly metered:
    | { readonly meta: MeterMeta; readonly fuel: number | undefined; readonly cpuMs: number | undefined }
    | undefined;
}

/** A call as it goes over. */
export interface FarCallMessage {
  readonly method: string;
  readonly payload: Value;
  /** What is left of its time, ms; `Infinity` for no limit. */
  readonly leftMs: number;
  /** Whether the answer is to say what was used. */
  readonly measure: boolean;
}

/** How the guest's side stands, told with each answer. */
export interface Standing {
  /** Of its instance, bytes. */
  readonly memoryBytes: number;
  /** What was used since the last answer: see {@link Tally}. */
  readonly spent: Tally;
}

/** What comes back for {@link Ask.make} and {@link Ask.call}. */
export type Answer = Standing & AnswerBody;

type AnswerBody =
  | { readonly kind: "made" }
  | {
      readonly kind: "answer";
      readonly usage: Usage | undefined;
      readonly value: Value;
    }
  | {
      readonly kind: "error";
      readonly usage: Usage | undefined;
      readonly dead: boolean;
      /** Whether it is, or came of, what the last host function threw. */
      readonly hostThrew: boolean;
      readonly error: KeelsonError;
    };

/** A log record of the guest. */
export interface LogMessage {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

/** The kind of a message that came from the host or the guest's side. */
export function kindOf(message: Bytes, head = 0): number {
  return message[head] ?? 0;
}

export function writeLoad(plan: Plan, code: Bytes | undefined, head: number): Bytes {
  const writer = new Writer(head, (code?.length ?? 0) + 1024);
  writer.byte(Ask.load);
  writer.value(plan as unknown as Value);
  writer.value(code);
  return writer.take();
}

export function readLoad(
  message: Bytes,
  head: number,
): { readonly plan: Plan; readonly code: Bytes | undefined } {
  const reader = new Reader(message, head + 1);
  const plan = reader.value() as unknown as Plan;
  return { plan, code: reader.value() as Bytes | undefined };
}

export function writeKind(kind: number, head: number): Bytes {
  const message = new Uint8Array(head + 1);
  message[head] = kind;
  return message;
}

/** @throws KeelsonError `INVALID_PAYLOAD` */
export function writeCall({ method, payload, leftMs, measure }: FarCallMessage, head: number): Bytes {
  const writer = new Writer(head, payload instanceof Uint8Array ? payload.length + 256 : 256);
  writer.byte(Ask.call);
  writer.byte(measure ? 1 : 0);
  writer.float(leftMs);
  writer.text(method);
  writer.value(payload);
  return writer.take();
}

export function readCall(message: Bytes, head: number): FarCallMessage {
  const reader = new Reader(message, head + 1);
  const measure = reader.byte() === 1;
  const leftMs = reader.float();
  const method = reader.text();
  return { method, payload: reader.value(), leftMs, measure };
}

export function writeMade(standing: Standing, head: number): Bytes {
  const writer = new Writer(head, 32);
  writer.byte(Tell.made);
  writeStanding(writer, standing);
  return writer.take();
}

export function writeAnswer(standing: Standing, usage: Usage | undefined, value: Value, head: number): Bytes {
  const writer = new Writer(head, value instanceof Uint8Array ? value.length + 256 : 256);
  writer.byte(Tell.answer);
  writeStanding(writer, standing);
  writeUsage(writer, usage);
  writer.value(value);
  return writer.take();
}

export function writeError(
  standing: Standing,
  usage: Usage | undefined,
  dead: boolean,
  thrown: unknown,
  head: number,
  hostThrew = false,
): Bytes {
  const writer = new Writer(head);
  writer.byte(Tell.error);
  writeStanding(writer, standing);
  writeUsage(writer, usage);
  writer.byte((dead ? 1 : 0) + (hostThrew ? 2 : 0));
  writer.value(errorValue(asKeelsonError(thrown, "CALL_FAILED", "the guest failed")));
  return writer.take();
}

/** An error as a value that can go over: all but its cause, and details that are no plain data. */
export function errorValue({ code, hint, message, details }: KeelsonError): Value {
  const text = hint === undefined ? message : message.slice(0, -`\n  hint: ${hint}`.length);
  return { code, hint, message: text, details: plain(details) };
}

export function writeLog({ level, message, fields }: LogMessage, head: number): Bytes {
  const writer = new Writer(head);
  writer.byte(Tell.log);
  writer.text(level);
  writer.text(message);
  writer.value(plain(fields));
  return writer.take();
}

function writeStanding(writer: Writer, { memoryBytes, spent }: Standing): void {
  writer.float(memoryBytes);
  writeAmount(writer, spent[TALLY_FUEL] ?? 0);
  writeAmount(writer, spent[TALLY_CPU_MS] ?? 0);
}

function readStanding(reader: Reader): Standing {
  const memoryBytes = readAmount(reader);
  const spent = new Float64Array(2);
  spent[TALLY_FUEL] = readAmount(reader);
  spent[TALLY_CPU_MS] = readAmount(reader);
  return { memoryBytes, spent };
}

/** Differences of times may fall below nothing by a rounding. */
function writeAmount(writer: Writer, amount: number): void {
  writer.float(Math.max(0, amount));
}

/** What is added up here must not come out as no number, as endless, or as less. */
function readAmount(reader: Reader): number {
  const amount = reader.float();
  if (amount >= 0 && amount <= Number.MAX_SAFE_INTEGER) return amount;
  throw new BrokenMessage(`an amount of ${amount}`);
}

function writeUsage(writer: Writer, usage: Usage | undefined): void {
  writer.byte(usage === undefined ? 0 : usage.fuelAtMost === undefined ? 1 : 2);
  if (usage === undefined) return;
  if (usage.fuelAtMost !== undefined) writeAmount(writer, usage.fuelAtMost);
  writeAmount(writer, usage.fuel);
  writeAmount(writer, usage.cpuMs);
  writeAmount(writer, usage.memoryPeakBytes);
}

function readUsage(reader: Reader): Usage | undefined {
  const form = reader.byte();
  if (form === 0) return undefined;
  const most = form === 2 ? { fuelAtMost: readAmount(reader) } : {};
  return {
    fuel: readAmount(reader),
    ...most,
    cpuMs: readAmount(reader),
    memoryPeakBytes: readAmount(reader),
  };
}

/** Details are plain data by their contract; what is not is left out rather than lose the error. */
function plain(fields: Readonly<Record<string, unknown>> | undefined): Value {
  if (fields === undefined) return undefined;
  try {
    new Writer().value(fields as Value);
    return fields as Value;
  } catch {
    return undefined;
  }
}

/** @throws BrokenMessage for what no guest's side of ours sends */
export function readAnswer(message: Bytes, head: number): Answer {
  const kind = kindOf(message, head);
  const reader = new Reader(message, head + 1, MAX_VALUES);
  const standing = readStanding(reader);
  if (kind === Tell.made) return { ...standing, kind: "made" };
  const usage = readUsage(reader);
  if (kind === Tell.answer) return { ...standing, kind: "answer", usage, value: reader.value() };
  const flags = reader.byte();
  const [dead, hostThrew] = [(flags & 1) !== 0, (flags & 2) !== 0];
  return { ...standing, kind: "error", usage, dead, hostThrew, error: errorFrom(reader.value()) };
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** @throws BrokenMessage */
export function readLog(message: Bytes, head: number): LogMessage {
  const reader = new Reader(message, head + 1, MAX_VALUES);
  const level = reader.text();
  const text = reader.text();
  const fields = reader.value();
  return {
    level: LEVELS.find((one) => one === level) ?? "info",
    message: text,
    fields: typeof fields === "object" && fields !== null ? (fields as Record<string, unknown>) : undefined,
  };
}

/** What {@link errorValue} made, as an error again. */
export function errorFrom(wire: Value): KeelsonError {
  const error = fromWireError(wire);
  const { hint } = wire as { readonly hint?: unknown };
  if (typeof hint !== "string") return error;
  const { code, message, details } = toWireError(error);
  return new KeelsonError(code, message, { hint, ...(details === undefined ? {} : { details }) });
}
