// A native plugin: code that the host trusts, in the host's own thread.
import markdownIt from "markdown-it";
import type { Call, Module, Value } from "keelson";

/** Turns Markdown into HTML. Raw HTML is shown as text, links to scripts stay text, headings get ids. */
export default function markdown(): Module {
  const renderer = markdownIt({ html: false });
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
