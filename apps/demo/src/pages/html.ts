/** HTML that needs no escaping any more. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** What may stand in a template: text is escaped, HTML is not, lists are joined, undefined and false leave nothing. */
export type Part = string | number | Html | undefined | false | readonly Part[];

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text made safe for elements and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => entities[char] ?? char);
}

/** A template whose parts are escaped. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(
    strings.map((text, index) => text + (index < parts.length ? put(parts[index]) : "")).join(""),
  );
}

function put(part: Part): string {
  if (part instanceof Html) return part.text;
  if (part === undefined || part === false) return "";
  return typeof part === "object" ? part.map(put).join("") : escapeHtml(String(part));
}
