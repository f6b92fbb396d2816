import { MAX_TEXT_BYTES, type GuestHost } from "../instance/guest-host.ts";
import { panicError } from "../instance/trap.ts";

/**
 * `env.abort(message, file, line, column)`, which AssemblyScript calls when an assertion fails: the call ends as a trap that
 * carries the text. Its strings are UTF-16 with their length in bytes just before them.
 */
export function abortImport(
  host: GuestHost,
): (message: number, file: number, line: number, column: number) => never {
  return (message, file, line, column) => {
    const text = managedText(host, message) ?? "abort";
    const name = managedText(host, file);
    const place = name === undefined ? "" : ` (${name}:${line >>> 0}:${column >>> 0})`;
    throw panic(host, text + place);
  };
}

/** An import `(pointer, length)` that ends the call as a trap carrying that UTF-8 text. */
export function panicImport(host: GuestHost): (pointer: number, length: number) => never {
  return (pointer, length) => {
    throw panic(host, host.memory?.lossyText(pointer, Math.min(length >>> 0, MAX_TEXT_BYTES)) ?? "panic");
  };
}

function panic(host: GuestHost, text: string): Error {
  // A guest's catch_all may swallow what is thrown here: the first panic is kept, and looked at when the guest returns.
  host.panic ??= panicError(host.id, text);
  return host.panic;
}

function managedText(host: GuestHost, pointer: number): string | undefined {
  const from = pointer >>> 0;
  const { memory } = host;
  if (memory === undefined || from < 4 || from > memory.size) return undefined;
  const length = Math.min(memory.word(from - 4, "the text of abort"), MAX_TEXT_BYTES);
  return memory.lossyText(from, length - (length % 2), "utf-16le");
}
