// A native plugin: code that the host trusts, in the host's own thread.
import markdownIt from "markdown-it";
import type { Call, Module, Value } from "keelson";

/** Turns Markdown into HTML. Raw HTML is shown as text, but comments are left out; links to scripts stay text; headings get ids. */
export default function markdown(): Module {
  const renderer = markdownIt({ html: false });
  renderer.block.ruler.before("paragraph", "comment", (state, startLine, endLine, silent) => {
    const start = (state.bMarks[startLine] ?? 0) + (state.tShift[startLine] ?? 0);
    if (!state.src.startsWith("<!--", start)) return false;
    const end = state.src.indexOf("-->", start);
    let line = startLine;
    while (line < endLine && (state.eMarks[line] ?? Infinity) < end) line++;
    // Nothing else may stand on its last line.
    if (end < 0 || line >= endLine || state.src.slice(end + 3, state.eMarks[line]).trim() !== "")
      return false;
    if (!silent) state.line = line + 1;
    return true;
  });
  renderer.core.ruler.push("heading-ids", ({ tokens }) => {
    const taken = new Map<string, number>();
    for (const [index, token] of tokens.entries()) {
      if (token.type !== "heading_open") continue;
      const slug = slugOf(tokens[index + 1]?.content ?? "");
      const before = taken.get(slug) ?? 0;
      taken.set(slug, before + 1);
      token.attrSet("id", before === 0 ? slug : `${slug}-${before}`);
    }
  });
  return {
    call({ method, payload }: Call): Value {
      if (method !== "render" || typeof payload !== "string")
        throw new TypeError("render takes Markdown as text");
      return renderer.render(payload);
    },
  };
}

/** The anchor of a heading, as readers of Markdown on the web expect it. */
function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
}
