// A plugin that is a child process, in any language that can read and write lines of JSON. It colours the code blocks of a page.
//
// The host starts it with the runtime that it runs on itself. Its first line is an event; after that it answers requests, until
// its standard input ends.
import process from "node:process";
import { StringDecoder } from "node:string_decoder";

const WORDS =
  "async await break case catch class const continue default do else export extends false finally for from function if " +
  "implements import in instanceof interface let new null of readonly return static switch this throw true try type typeof " +
  "undefined using var void while yield";
const KEYWORDS = new Set(WORDS.split(" "));

// The text of a code block is escaped: its quotation marks are &quot;, and & begins an entity.
const TOKEN =
  /(?<comment>\/\/[^\n]*|\/\*[^]*?\*\/|(?<=^|\n|\s)#[^\n]*)|(?<string>&quot;(?:\\.|(?!&quot;)[^\\\n])*&quot;|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|(?<number>\b\d[\d_.]*\b)|(?<word>[A-Za-z_$][\w$]*)|&\w+;/g;

/** The HTML of a page with its code blocks coloured. */
function highlight(html) {
  const block =
    /(<pre><code class="language-(?:ts|js|json|sh|bash|toml|rust|go)[^"]*">)([^]*?)(<\/code><\/pre>)/g;
  return html.replace(block, (_, open, code, close) => open + code.replace(TOKEN, colour) + close);
}

function colour(token, ...rest) {
  const { comment, string, number, word } = rest.at(-1);
  if (comment !== undefined) return `<span class="hl-comment">${token}</span>`;
  if (string !== undefined) return `<span class="hl-string">${token}</span>`;
  if (number !== undefined) return `<span class="hl-number">${token}</span>`;
  return word !== undefined && KEYWORDS.has(word) ? `<span class="hl-keyword">${token}</span>` : token;
}

function send(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function answer({ request_id, method, payload }) {
  if (method === "highlight" && typeof payload === "string") {
    send({ reply_id: request_id, result: highlight(payload) });
  } else if (method === "health") {
    send({ reply_id: request_id, result: true });
  } else {
    send({
      reply_id: request_id,
      error: { code: "UNKNOWN_METHOD", message: `highlight has no method "${method}"` },
    });
  }
}

send({
  event_id: "ready",
  source: "module",
  timestamp_ms: Date.now(),
  module: "highlight",
  event_type: "ready",
  payload: { pid: process.pid },
});

const decoder = new StringDecoder("utf8");
let rest = "";
for await (const chunk of process.stdin) {
  const lines = (rest + decoder.write(chunk)).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) {
    const message = JSON.parse(line);
    if (message.request_id !== undefined) answer(message);
  }
}
