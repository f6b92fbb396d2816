import { requireFunction, requireOptions } from "./invalid-options.ts";

/** Why a line could not be given out. */
export type LineFault = "LINE_TOO_LONG" | "INVALID_UTF8";

/** Options of a {@link LineReader}. */
export interface LineReaderOptions {
  /** Bytes of one line at most, its end not counted. Default 1 MiB. */
  readonly maxLineBytes?: number;
  /** What to do with a longer line: tell a fault and skip it (default), or give out its beginning. */
  readonly tooLong?: "fault" | "cut";
  /** What to do with a line that is not UTF-8: tell a fault and skip it (default), or put U+FFFD in place of what is broken. */
  readonly brokenUtf8?: "fault" | "replace";
  /** Takes each line, without its end (LF or CRLF). Empty lines are left out. */
  readonly onLine: (line: string) => void;
  /** Is told of each line that was skipped; `start` is how it begins, at most 200 characters. */
  readonly onFault?: (fault: LineFault, start: string) => void;
}

/**
 * Cuts chunks of bytes into lines, however the chunks fall. Never holds more than one line's limit: of a longer line the
 * rest is skipped as it comes.
 */
export interface LineReader {
  /** Takes the next chunk and gives out, at once, the lines that end in it. The chunk is not kept. */
  push(chunk: Uint8Array): void;
  /** Gives out a last line without an end. */
  end(): void;
}

const LF = 10;
const CR = 13;
const START_BYTES = 200;

/**
 * Makes a {@link LineReader}, as process modules have one, for loaders of kinds that speak in lines as well. It reads lines of any text; what they
 * mean is up to `onLine`. What `onLine` and `onFault` throw passes through `push` and `end`, and the reader must not be used after that.
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export function createLineReader(options: LineReaderOptions): LineReader {
  const {
    maxLineBytes = 1_048_576,
    tooLong = "fault",
    brokenUtf8 = "fault",
    onLine,
    onFault = () => {},
  } = options ?? {};
  requireOptions("lineReader", options, {
    maxLineBytes: 1,
    tooLong: ["fault", "cut"],
    brokenUtf8: ["fault", "replace"],
    onLine: "function",
    onFault: "function",
  });
  requireFunction("onLine", onLine);
  // ignoreBOM keeps U+FEFF: each decode call would strip one, and lines would depend on how the chunks fall.
  const strict = new TextDecoder("utf-8", { fatal: brokenUtf8 === "fault", ignoreBOM: true });
  const lenient = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  let held = new Uint8Array(0);
  let heldBytes = 0;
  let skipping = false;

  const hold = (bytes: Uint8Array): void => {
    const needed = heldBytes + bytes.length;
    if (needed > held.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(2 * held.length, maxLineBytes), 1024));
      grown.set(held.subarray(0, heldBytes));
      held = grown;
    }
    held.set(bytes, heldBytes);
    heldBytes = needed;
  };

  const release = (): void => {
    heldBytes = 0;
    if (held.length > 65_536) held = new Uint8Array(0);
  };

  const give = (line: string): void => {
    const length = line.length;
    if (length > 0 && line.charCodeAt(length - 1) === CR) {
      if (length > 1) onLine(line.slice(0, -1));
    } else if (length > 0) onLine(line);
  };

  const overflow = (bytes: Uint8Array): void => {
    if (tooLong === "cut") give(lenient.decode(bytes.subarray(0, maxLineBytes)));
    else onFault("LINE_TOO_LONG", lenient.decode(bytes.subarray(0, START_BYTES)));
  };

  const giveBytes = (bytes: Uint8Array): void => {
    if (bytes.length > maxLineBytes) return overflow(bytes);
    let line: string;
    try {
      line = strict.decode(bytes);
    } catch {
      return onFault("INVALID_UTF8", lenient.decode(bytes.subarray(0, START_BYTES)));
    }
    give(line);
  };

  const giveEach = (bytes: Uint8Array): void => {
    let from = 0;
    for (let to = bytes.indexOf(LF); to !== -1; to = bytes.indexOf(LF, from)) {
      giveBytes(bytes.subarray(from, to));
      from = to + 1;
    }
    giveBytes(bytes.subarray(from));
  };

  /** Whole lines, the last with or without its end. Decoding them at once is much faster than one by one. */
  const giveBlock = (bytes: Uint8Array): void => {
    if (bytes.length > maxLineBytes) return giveEach(bytes);
    // Decoding strictly is slower on Deno. Where nothing was replaced, nothing was broken.
    const text = lenient.decode(bytes);
    if (text.includes("\ufffd")) return giveEach(bytes);
    const lines = text.split("\n");
    // One look at the block spares a look at each line.
    const crlf = text.includes("\r");
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index] as string;
      if (crlf) give(line);
      else if (line !== "") onLine(line);
    }
  };

  /** The rest of a chunk, in which no line ends. */
  const holdRest = (rest: Uint8Array): void => {
    if (heldBytes + rest.length <= maxLineBytes) return hold(rest);
    hold(rest.subarray(0, maxLineBytes + 1 - heldBytes));
    skipping = true;
    overflow(held.subarray(0, heldBytes));
    release();
  };

  return {
    push(chunk) {
      requireFunction("subarray of a chunk of bytes", chunk?.subarray);
      let from = 0;
      if (skipping || heldBytes > 0) {
        const end = chunk.indexOf(LF);
        if (end === -1) {
          if (!skipping) holdRest(chunk);
          return;
        }
        from = end + 1;
        if (skipping) skipping = false;
        else {
          holdRest(chunk.subarray(0, end));
          if (skipping) skipping = false;
          else {
            const line = held.subarray(0, heldBytes);
            giveBytes(line);
            release();
          }
        }
      }
      const last = chunk.lastIndexOf(LF);
      if (last >= from) {
        // Most chunks are whole lines, and a view is dear to make.
        giveBlock(from === 0 && last === chunk.length - 1 ? chunk : chunk.subarray(from, last));
        from = last + 1;
      }
      if (from < chunk.length) holdRest(chunk.subarray(from));
    },
    end() {
      if (!skipping && heldBytes > 0) giveBytes(held.subarray(0, heldBytes));
      skipping = false;
      release();
    },
  };
}
