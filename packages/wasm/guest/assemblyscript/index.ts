// Author-side glue of the Keelson ABI profile `keelson`, for AssemblyScript. A plugin's entry file reads
//
//   import { on, Request } from "@keelson/wasm/guest/assemblyscript/index";
//   export { keelson_alloc, keelson_free, keelson_call, keelson_methods } from "@keelson/wasm/guest/assemblyscript/index";
//
//   on("shout", (request: Request): void => {
//     request.replyText(request.text().toUpperCase());
//   });
//
// and is built with `asc entry.ts --outFile plugin.wasm --optimize --runtime incremental`. A handler that replies nothing answers
// undefined. A failed assertion and `throw` end the call as a trap whose text the host sees.

import { jsonMember, jsonQuote, jsonText } from "./json";
import { log as hostLog } from "./keelson";

export { jsonMember, jsonQuote, jsonText } from "./json";

const KIND_NONE: u32 = 0;
const KIND_BYTES: u32 = 1;
const KIND_JSON: u32 = 2;
const KIND_TEXT: u32 = 3;

const STATUS_OK: u32 = 0;
const STATUS_ERROR: u32 = 1;
const STATUS_UNKNOWN_METHOD: u32 = 2;

/** Levels of {@link log}. */
export const DEBUG: i32 = 0;
export const INFO: i32 = 1;
export const WARN: i32 = 2;
export const ERROR: i32 = 3;

/** Writes a record to the host's log. */
export function log(text: string, level: i32 = INFO): void {
  const bytes = String.UTF8.encode(text);
  hostLog(level, changetype<usize>(bytes), bytes.byteLength);
}

/** One call. Its payload lies in the host's buffer and is copied when asked for; it may be read during the handler only. */
export class Request {
  private kind: u32;
  private ptr: usize;
  private len: i32;

  constructor(kind: u32, ptr: usize, len: i32) {
    this.kind = kind;
    this.ptr = ptr;
    this.len = len;
  }

  /** Whether the caller sent raw bytes. */
  get isBytes(): bool {
    return this.kind === KIND_BYTES;
  }

  /** Whether the caller sent plain data as JSON. */
  get isJson(): bool {
    return this.kind === KIND_JSON;
  }

  /** Whether the caller sent text. */
  get isText(): bool {
    return this.kind === KIND_TEXT;
  }

  /** The payload as text: the text itself, or the JSON. Bytes are taken for UTF-8. */
  text(): string {
    return String.UTF8.decodeUnsafe(this.ptr, this.len);
  }

  /** The payload's bytes, copied. */
  bytes(): Uint8Array {
    const out = new Uint8Array(this.len);
    memory.copy(out.dataStart, this.ptr, this.len);
    return out;
  }

  /** Answers text. */
  replyText(text: string): void {
    keepText(STATUS_OK, KIND_TEXT, text);
  }

  /** Answers plain data, written by you as JSON. */
  replyJson(json: string): void {
    keepText(STATUS_OK, KIND_JSON, json);
  }

  /** Answers bytes, copied. */
  replyBytes(bytes: Uint8Array): void {
    const copy = new ArrayBuffer(bytes.length);
    memory.copy(changetype<usize>(copy), bytes.dataStart, bytes.length);
    keep(STATUS_OK, KIND_BYTES, copy);
  }

  /** Answers with an error of your own; the caller gets GUEST_ERROR with this message. The handler should return then. */
  fail(message: string): void {
    keepText(STATUS_ERROR, KIND_TEXT, message);
  }
}

const handlers = new Map<string, (request: Request) => void>();

/** Answers `method` by `handler`. To be called at the top level of the entry file. */
export function on(method: string, handler: (request: Request) => void): void {
  handlers.set(method, handler);
}

const filters = new Map<string, (value: string) => string>();

/**
 * Answers `method` as a filter of texts that the manifest names in its hooks: the handler gets the value and answers the new one. A value that
 * is no text fails, so that the host leaves it as it was. Such a filter may also be called by the host with a text alone.
 */
export function onFilter(method: string, handler: (value: string) => string): void {
  filters.set(method, handler);
}

function runFilter(handler: (value: string) => string, request: Request): void {
  const value = request.isJson ? jsonText(jsonMember(request.text(), "value") || "") : request.text();
  if (value === null) request.fail("the value is no text");
  else request.replyText(handler(value));
}

// The record that every answer is written into, and the buffer it points to: kept until the next answer.
const record: usize = memory.data(16, 4);
// oxlint-disable-next-line no-unused-vars -- holding it is what keeps it alive
let answer: ArrayBuffer = new ArrayBuffer(0);

function keep(status: u32, kind: u32, buffer: ArrayBuffer): void {
  answer = buffer;
  store<u32>(record, status);
  store<u32>(record, kind, 4);
  store<u32>(record, <u32>changetype<usize>(buffer), 8);
  store<u32>(record, <u32>buffer.byteLength, 12);
}

function keepText(status: u32, kind: u32, text: string): void {
  keep(status, kind, String.UTF8.encode(text));
}

/** Part of the ABI: a buffer for the host, outside the garbage collector's reach. */
export function keelson_alloc(size: i32): usize {
  return heap.alloc(<usize>size);
}

/** Part of the ABI: the host is done with a buffer. */
export function keelson_free(ptr: usize, _size: i32): void {
  heap.free(ptr);
}

/** Part of the ABI: answers one call. */
export function keelson_call(
  methodPtr: usize,
  methodLen: i32,
  kind: u32,
  payloadPtr: usize,
  payloadLen: i32,
): usize {
  const method = String.UTF8.decodeUnsafe(methodPtr, methodLen);
  keep(STATUS_OK, KIND_NONE, new ArrayBuffer(0));
  const request = new Request(kind, payloadPtr, payloadLen);
  if (handlers.has(method)) handlers.get(method)(request);
  else if (filters.has(method)) runFilter(filters.get(method), request);
  else keep(STATUS_UNKNOWN_METHOD, KIND_NONE, new ArrayBuffer(0));
  return record;
}

/** Part of the ABI: the names of all methods. */
export function keelson_methods(): usize {
  const names = handlers.keys().concat(filters.keys());
  let json = "[";
  for (let at = 0; at < names.length; at++) {
    if (at > 0) json += ",";
    json += jsonQuote(names[at]);
  }
  keepText(STATUS_OK, KIND_JSON, json + "]");
  return record;
}
