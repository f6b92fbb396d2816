// As much JSON as a plugin needs that passes texts on: it finds a member, reads a text and writes one. It trusts that what the host sends is
// JSON. For more, take a JSON library.

const QUOTE: i32 = 0x22;
const COMMA: i32 = 0x2c;
const COLON: i32 = 0x3a;
const BACKSLASH: i32 = 0x5c;

function skipSpace(json: string, at: i32): i32 {
  while (at < json.length && json.charCodeAt(at) <= 0x20) at++;
  return at;
}

/** Behind the text that begins at `at`. */
function endOfText(json: string, at: i32): i32 {
  at++;
  while (at < json.length && json.charCodeAt(at) !== QUOTE) at += json.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** Behind the value that begins at `at`: where its object or array goes on. */
function endOfValue(json: string, at: i32): i32 {
  let depth = 0;
  while (at < json.length) {
    const char = json.charCodeAt(at);
    if (char === QUOTE) {
      at = endOfText(json, at);
      continue;
    }
    if (char === 0x7b || char === 0x5b) depth++;
    else if (char === 0x7d || char === 0x5d) {
      if (depth === 0) return at;
      depth--;
    } else if (char === COMMA && depth === 0) return at;
    at++;
  }
  return at;
}

/** The JSON of a member of an object; null when `json` is no object, or has no member of this name. */
export function jsonMember(json: string, name: string): string | null {
  let at = skipSpace(json, 0);
  if (at >= json.length || json.charCodeAt(at) !== 0x7b) return null;
  at = skipSpace(json, at + 1);
  while (at < json.length && json.charCodeAt(at) === QUOTE) {
    const end = endOfText(json, at);
    const key = jsonText(json.substring(at, end));
    at = skipSpace(json, end);
    if (at >= json.length || json.charCodeAt(at) !== COLON) return null;
    const from = skipSpace(json, at + 1);
    at = endOfValue(json, from);
    if (key !== null && key === name) return json.substring(from, at).trim();
    at = skipSpace(json, at + 1);
  }
  return null;
}

function codeAt(json: string, at: i32): i32 {
  return <i32>parseInt(json.substr(at, 4), 16);
}

/** The text that a JSON string stands for; null when `json` is no string. */
export function jsonText(json: string): string | null {
  const end = json.length - 1;
  if (end < 1 || json.charCodeAt(0) !== QUOTE || json.charCodeAt(end) !== QUOTE) return null;
  const parts = new Array<string>();
  let from = 1;
  for (let at = 1; at < end; at++) {
    if (json.charCodeAt(at) !== BACKSLASH) continue;
    parts.push(json.substring(from, at));
    at++;
    const char = json.charCodeAt(at);
    if (char === 0x75) {
      const code = codeAt(json, at + 1);
      // One of a pair of surrogates without the other is no text that can be passed on.
      const low = (code & 0xfc00) === 0xd800 && json.startsWith("\\u", at + 5) ? codeAt(json, at + 7) : 0;
      const isPair = (low & 0xfc00) === 0xdc00;
      if (isPair) parts.push(String.fromCharCode(code, low));
      else parts.push(String.fromCharCode((code & 0xf800) === 0xd800 ? 0xfffd : code));
      at += isPair ? 10 : 4;
    } else if (char === 0x6e) parts.push("\n");
    else if (char === 0x74) parts.push("\t");
    else if (char === 0x72) parts.push("\r");
    else if (char === 0x62) parts.push("\b");
    else if (char === 0x66) parts.push("\f");
    else parts.push(String.fromCharCode(char));
    from = at + 1;
  }
  if (from === 1) return json.substring(1, end);
  parts.push(json.substring(from, end));
  return parts.join("");
}

/** A text as a JSON string. */
export function jsonQuote(text: string): string {
  const parts = new Array<string>();
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char >= 0x20 && char !== QUOTE && char !== BACKSLASH) continue;
    parts.push(text.substring(from, at));
    if (char < 0x20) parts.push("\\u" + char.toString(16).padStart(4, "0"));
    else parts.push("\\" + String.fromCharCode(char));
    from = at + 1;
  }
  parts.push(text.substring(from));
  return '"' + parts.join("") + '"';
}
