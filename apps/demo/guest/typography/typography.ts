// A plugin in AssemblyScript: curly quotes, dashes and ellipses in the text of a page, never inside tags or code.

// oxlint-disable-next-line typescript/consistent-type-imports -- AssemblyScript has no type imports
import { on, Request } from "@keelson/wasm/guest/assemblyscript/index";
export {
  keelson_alloc,
  keelson_call,
  keelson_free,
  keelson_methods,
} from "@keelson/wasm/guest/assemblyscript/index";

/** A page that has a code block in this language makes the plugin trap: Press shows what becomes of it. */
const TRAP = 'class="language-press-trap"';

const SPACE: i32 = 0x20;
const QUOTE: i32 = 0x22;
const AMPERSAND: i32 = 0x26;
const APOSTROPHE: i32 = 0x27;
const HYPHEN: i32 = 0x2d;
const DOT: i32 = 0x2e;
const LESS: i32 = 0x3c;

/** Whether a quotation mark behind this character opens; also behind a tag's end. */
function opens(before: i32): bool {
  return before <= SPACE || before === 0x28 || before === 0x5b || before === 0x3e || before === 0x2014;
}

/** Where the tag that begins at `at` ends; for pre and code, where their end tag ends. */
function endOfTag(html: string, at: i32): i32 {
  let closing = ">";
  if (html.startsWith("<pre", at)) closing = "</pre>";
  else if (html.startsWith("<code", at)) closing = "</code>";
  const end = html.indexOf(closing, at);
  return end < 0 ? html.length : end + closing.length;
}

function typeset(html: string): string {
  const parts = new Array<string>();
  let from = 0;
  let at = 0;
  let before = SPACE;
  while (at < html.length) {
    const char = html.charCodeAt(at);
    if (char === LESS) {
      at = endOfTag(html, at);
      continue;
    }
    let length = 0;
    let put = "";
    if (char === AMPERSAND && html.startsWith("&quot;", at)) {
      length = 6;
      put = opens(before) ? "“" : "”";
    } else if (char === QUOTE) {
      length = 1;
      put = opens(before) ? "“" : "”";
    } else if (char === APOSTROPHE) {
      length = 1;
      put = opens(before) ? "‘" : "’";
    } else if (char === HYPHEN && html.startsWith(" -- ", at - 1)) {
      length = 2;
      put = "—";
    } else if (char === DOT && html.startsWith("...", at)) {
      length = 3;
      put = "…";
    }
    before = char;
    if (length === 0) {
      at++;
      continue;
    }
    parts.push(html.substring(from, at));
    parts.push(put);
    at += length;
    from = at;
  }
  parts.push(html.substring(from));
  return parts.join("");
}

on("typeset", (request: Request): void => {
  const html = request.text();
  if (html.includes(TRAP)) unreachable();
  request.replyText(typeset(html));
});
