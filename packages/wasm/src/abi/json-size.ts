/** Texts up to this many units are not looked at: whatever stands in them is parsed in some milliseconds. */
const SHORT_TEXT = 65_536;
/** Values and keys that a longer text may hold: some tenths of a second of parsing, and some hundred megabytes, at the worst. */
export const MAX_JSON_VALUES = 1_000_000;
/** Nesting of data at most: in a longer text of a guest, in what crosses to another thread or process, and in a record. */
export const MAX_JSON_DEPTH = 500;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Why a text would take too much of its reader's time and memory, or undefined. Parsing cannot be interrupted, and makes a hundred bytes of
 * objects out of three: so a guest could fill in milliseconds what its host reads for seconds, past any limit of its own.
 */
export function excessOf(text: string): string | undefined {
  if (text.length <= SHORT_TEXT) return undefined;
  let values = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at + 1);
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        if (++depth > MAX_JSON_DEPTH) return `is nested more than ${MAX_JSON_DEPTH} deep`;
        values++;
        break;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        depth--;
        break;
      case COMMA:
      case COLON:
        values++;
        break;
    }
    if (values > MAX_JSON_VALUES) return `holds more than ${MAX_JSON_VALUES} values`;
  }
  return undefined;
}

/** Where the string that begins at `from` is closed; the text's end when it is not. */
function endOfString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at;
    if (unit === BACKSLASH) at++;
  }
  return text.length;
}
