import { showControls } from "@keelson/core/plain";

/** The text with every control character but line feeds made visible, as {@link showControls} does; a tab is a space. */
export function visible(text: string): string {
  return text
    .split("\n")
    .map((line) => showControls(line.replaceAll("\t", " ")))
    .join("\n");
}

/** The same on one line. */
export function oneLine(text: string): string {
  return visible(text.replace(/\s*\n\s*/g, " · "));
}

/** The text without its colours, in which Deno writes where an import failed: here they are the command line's own to choose. */
export function colorless(text: string): string {
  // oxlint-disable-next-line no-control-regex -- colours begin with a control character
  return text.replace(/\u001b\[[\d;]*m/g, "");
}

/** Characters of two columns: East Asian ones and emoji. Marks that join the one before are counted as well, so that no line is too long. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** The text cut to so many columns of a terminal, with an ellipsis if something is missing. */
export function cut(text: string, columns: number): string {
  if (text.length * 2 <= columns) return text;
  let width = 0;
  /** Where to cut so that the ellipsis still fits. */
  let end = 0;
  let at = 0;
  for (const char of text) {
    width += WIDE.test(char) ? 2 : 1;
    if (width > columns) return `${text.slice(0, end)}…`;
    at += char.length;
    if (width < columns) end = at;
  }
  return text;
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

/** Bytes for people: `64 MiB`, `1.5 KiB`, `12 bytes`. */
export function bytesText(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  // As it is printed: what rounds up to 1,024 is one of the next unit.
  while (Number(value.toFixed(1)) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return bytes === 1 ? "1 byte" : `${Number(value.toFixed(1))} ${units[unit] ?? ""}`;
}

/** `1 loop`, `2 loops`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Facts under their names, a line each: the name stands before the first line of its own. */
export function formatFacts(
  facts: readonly (readonly [name: string, lines: readonly string[]])[],
  paint: Paint,
): string {
  const width = Math.max(...facts.map(([name]) => name.length)) + 2;
  return facts
    .flatMap(([name, lines]) =>
      (lines.length === 0 ? [paint("dim", "none")] : lines).map(
        (line, index) => `${paint("cyan", (index === 0 ? name : "").padEnd(width))}${line}`,
      ),
    )
    .join("\n");
}
