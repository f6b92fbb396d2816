import { type Reader, unsupported } from "./reader.ts";

/** What the meter needs to know of one entry of the type section. */
export interface TypeEntry {
  readonly kind: "func" | "struct" | "array";
  /** Parameters of a function, fields of a structure, 1 for an array. */
  readonly params: number;
  readonly results: number;
  /** The encoded value types of a function's parameters, without their count. */
  readonly paramBytes: Uint8Array;
  /** The encoded value types of the results, without their count. */
  readonly resultBytes: Uint8Array;
  /** Bytes of stack that the parameters take at most. */
  readonly paramStack: number;
  /** Whether a parameter or a result is a vector. */
  readonly hasVectors: boolean;
  /** Whether a parameter can hold a reference. */
  readonly hasReferences: boolean;
  /** Whether a field or an element can hold an exception. */
  readonly keepsExceptions: boolean;
  /** Bytes of one structure without its header, or of one element of an array. */
  readonly size: number;
}

const VECTOR_BYTES = 16;

/** How many bytes one value of a type takes, on the stack and in an object. */
interface ValueSize {
  readonly bytes: number;
  readonly reference: boolean;
  /** Set for a reference to an exception. */
  readonly exception?: boolean;
}

/** `exn` and `noexn`. */
const exceptionTypes = new Set([0x69, 0x74]);
const abstractHeapTypes = new Set([0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74]);

/** Reads a heap type: an abstract one or a type index. Unfinished ones (shared, exact, continuations) are refused. */
export function skipHeapType(reader: Reader): void {
  const at = reader.at;
  const first = reader.bytes[at] ?? 0;
  if (first >= 0x40 && first < 0x80 && !abstractHeapTypes.has(first)) {
    throw unsupported(`heap type 0x${first.toString(16)}`, at);
  }
  reader.s33();
}

/** Reads a value type or a packed type. */
export function readValueType(reader: Reader): ValueSize {
  const at = reader.at;
  const byte = reader.byte();
  switch (byte) {
    case 0x7f:
    case 0x7d:
      return { bytes: 4, reference: false };
    case 0x7e:
    case 0x7c:
      return { bytes: 8, reference: false };
    case 0x7b:
      return { bytes: 16, reference: false };
    case 0x78:
      return { bytes: 1, reference: false };
    case 0x77:
      return { bytes: 2, reference: false };
    case 0x63:
    case 0x64: {
      const exception = exceptionTypes.has(reader.bytes[reader.at] ?? 0);
      skipHeapType(reader);
      return { bytes: 8, reference: true, exception };
    }
    default:
      if (abstractHeapTypes.has(byte))
        return { bytes: 8, reference: true, exception: exceptionTypes.has(byte) };
      throw unsupported(`value type 0x${byte.toString(16)}`, at);
  }
}

/** Decodes the type section; `reader` stands at its count. */
export function readTypes(reader: Reader): { readonly types: TypeEntry[]; readonly groups: number } {
  const groups = reader.u32();
  const types: TypeEntry[] = [];
  for (let group = 0; group < groups; group++) {
    if (reader.bytes[reader.at] === 0x4e) {
      reader.byte();
      const members = reader.u32();
      for (let member = 0; member < members; member++) types.push(readSubType(reader));
    } else types.push(readSubType(reader));
  }
  return { types, groups };
}

function readSubType(reader: Reader): TypeEntry {
  const first = reader.bytes[reader.at];
  if (first === 0x50 || first === 0x4f) {
    reader.byte();
    const supertypes = reader.u32();
    for (let index = 0; index < supertypes; index++) reader.u32();
  }
  const at = reader.at;
  const form = reader.byte();
  switch (form) {
    case 0x60:
      return readFunction(reader);
    case 0x5f: {
      const count = reader.u32();
      const fields = readFields(reader, count, true);
      return {
        ...noFunction,
        kind: "struct",
        params: count,
        size: fields.bytes,
        hasReferences: fields.reference,
        keepsExceptions: fields.exception === true,
      };
    }
    case 0x5e: {
      const element = readFields(reader, 1, true);
      return {
        ...noFunction,
        kind: "array",
        params: 1,
        size: element.bytes,
        hasReferences: element.reference,
        keepsExceptions: element.exception === true,
      };
    }
    default:
      throw unsupported(`type form 0x${form.toString(16)}`, at);
  }
}

const noFunction = {
  results: 0,
  paramBytes: new Uint8Array(0),
  resultBytes: new Uint8Array(0),
  paramStack: 0,
  hasVectors: false,
  hasReferences: false,
  keepsExceptions: false,
};

function readFunction(reader: Reader): TypeEntry {
  const params = reader.u32();
  const paramsFrom = reader.at;
  let paramStack = 0;
  let hasReferences = false;
  let hasVectors = false;
  for (let index = 0; index < params; index++) {
    const { bytes, reference } = readValueType(reader);
    paramStack += Math.max(bytes, 8);
    hasReferences ||= reference;
    hasVectors ||= bytes === VECTOR_BYTES;
  }
  const paramBytes = reader.since(paramsFrom);
  const results = reader.u32();
  const from = reader.at;
  for (let index = 0; index < results; index++)
    hasVectors = readValueType(reader).bytes === VECTOR_BYTES || hasVectors;
  return {
    kind: "func",
    hasVectors,
    params,
    results,
    paramBytes,
    resultBytes: reader.since(from),
    paramStack,
    hasReferences,
    keepsExceptions: false,
    size: 0,
  };
}

function readFields(reader: Reader, count: number, mutability: boolean): ValueSize {
  let bytes = 0;
  let reference = false;
  let exception = false;
  for (let index = 0; index < count; index++) {
    const field = readValueType(reader);
    bytes += field.bytes;
    reference ||= field.reference;
    exception ||= field.exception === true;
    if (mutability) reader.byte();
  }
  return { bytes, reference, exception };
}
