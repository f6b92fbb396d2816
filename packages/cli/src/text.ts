/** The text on one line, with every control character made visible: what a guest wrote must not steer the terminal. */
export function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text
    .replace(/\s*\n\s*/g, " · ")
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (char) =>
      char === "\t" ? " " : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

/** The text cut to so many characters, with an ellipsis if something is missing. */
export function cut(text: string, columns: number): string {
  const chars = [...text];
  return chars.length <= columns ? text : `${chars.slice(0, Math.max(columns - 1, 0)).join("")}…`;
}

/** ANSI colours used for people. */
export type Color = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

const CODES: Readonly<Record<Color, number>> = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 };

/** Paints text, or leaves it when colours are off. */
export type Paint = (color: Color, text: string) => string;

/** A {@link Paint} that paints only if `on`. */
export function painter(on: boolean): Paint {
  return on ? (color, text) => `\u001b[${CODES[color]}m${text}\u001b[0m` : (_, text) => text;
}
