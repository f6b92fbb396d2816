import { SectionId } from "../binary/numbers.ts";
import { KeelsonError } from "@keelson/core/plain";

import { Reader, tooLarge, truncated } from "./read/reader.ts";
import { Writer } from "./write/writer.ts";

/** Bytes of code up to which a module is validated as a whole: in parts V8 takes twice as long. */
const WHOLE_BYTES = 2 ** 24;
/** Bytes of code in a part; a larger function is a part of its own. */
const PART_BYTES = 2 ** 20;
/** A body that is valid whatever its function's type is: no locals, `unreachable`, `end`. */
const STUB = Uint8Array.of(3, 0, 0x00, 0x0b);
/** A passive segment without bytes. */
const EMPTY_SEGMENT = Uint8Array.of(1, 0);

interface Section {
  readonly id: number;
  /** Of the id's byte. */
  readonly from: number;
  readonly body: number;
  readonly to: number;
}

/**
 * What the engine has to find valid for the module to be: the module itself, or the module in parts when it has much code, between which a host can look at the
 * clock, since some code takes an engine half a second for each megabyte, or more. Each part has the bodies of some functions, and stubs instead of all others. A
 * body is valid by what the other sections declare, which is in all parts, and by no other body.
 *
 * @throws KeelsonError `WASM_TOO_LARGE` for a function of more than `maxFunctionBytes`, before anything is validated; `INVALID_WASM` where sections or bodies do not
 * fill what they say they fill
 */
export function* partsToValidate(
  bytes: Uint8Array,
  maxFunctionBytes: number,
  partBytes: number = PART_BYTES,
  wholeBytes: number = WHOLE_BYTES,
): Generator<Uint8Array> {
  const sections = bytes.length > wholeBytes ? readSections(bytes) : [];
  const code = sections.find(({ id }) => id === SectionId.code);
  if (code === undefined || code.to - code.body <= wholeBytes) {
    yield bytes;
    return;
  }
  const { starts, first } = readBodies(bytes, code, maxFunctionBytes);
  const count = starts.length - 1;
  for (let from = 0; from < count;) {
    let to = from + 1;
    while (to < count && starts[to + 1]! - starts[from]! <= partBytes) to++;
    const bodies = bytes.subarray(starts[from]!, starts[to]!);
    yield writePart(bytes, sections, { first, bodies, before: from, after: count - to });
    from = to;
  }
}

/** Throws `INVALID_WASM` unless the engine finds it valid. */
export function validate(bytes: Uint8Array): void {
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

function readSections(bytes: Uint8Array): Section[] {
  const reader = new Reader(bytes, 8);
  const sections: Section[] = [];
  while (reader.at < reader.end) {
    const from = reader.at;
    const id = reader.byte();
    const size = reader.u32();
    const body = reader.at;
    reader.skip(size);
    sections.push({ id, from, body, to: reader.at });
  }
  return sections;
}

/** Where each body begins, its size before it, and where the last one ends; and where the first one does. */
function readBodies(
  bytes: Uint8Array,
  { body, to }: Section,
  maxFunctionBytes: number,
): { readonly starts: readonly number[]; readonly first: number } {
  const reader = new Reader(bytes, body, to);
  const starts: number[] = [];
  const count = reader.u32();
  const first = reader.at;
  for (let index = 0; index < count; index++) {
    starts.push(reader.at);
    const size = reader.u32();
    if (size > maxFunctionBytes) throw tooLarge("maxFunctionBytes", size, maxFunctionBytes);
    reader.skip(size);
  }
  if (reader.at !== to) throw truncated(reader.at);
  starts.push(to);
  return { starts, first };
}

interface PartOfCode {
  /** Where the first body of the module begins. */
  readonly first: number;
  readonly bodies: Uint8Array;
  /** Functions with stubs before these bodies, and behind them. */
  readonly before: number;
  readonly after: number;
}

function writePart(bytes: Uint8Array, sections: readonly Section[], part: PartOfCode): Uint8Array {
  const { bodies, before, after } = part;
  // The first part has all that is no code as it stands; the others need not repeat what no body can ask for.
  const whole = before === 0;
  const writer = new Writer(bodies.length + (before + after) * STUB.length + 4096);
  writer.copy(bytes, 0, 8);
  for (const { id, from, body, to } of sections) {
    if (id === SectionId.code) {
      const count = bytes.subarray(body, part.first);
      writer.byte(id);
      writer.u32(count.length + bodies.length + (before + after) * STUB.length);
      writer.copy(count, 0, count.length);
      writeOften(writer, STUB, before);
      writer.copy(bodies, 0, bodies.length);
      writeOften(writer, STUB, after);
    } else if (whole || (id !== SectionId.custom && id !== SectionId.data)) writer.copy(bytes, from, to);
    else if (id === SectionId.data) {
      const count = new Reader(bytes, body, to).u32();
      const number = new Writer(5);
      number.u32(count);
      writer.byte(id);
      writer.u32(number.at + count * EMPTY_SEGMENT.length);
      writer.u32(count);
      writeOften(writer, EMPTY_SEGMENT, count);
    }
  }
  return writer.take();
}

function writeOften(writer: Writer, bytes: Uint8Array, times: number): void {
  writer.reserve(bytes.length * times);
  for (let index = 0; index < times; index++) writer.copy(bytes, 0, bytes.length);
}
