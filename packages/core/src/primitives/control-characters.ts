// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROLS =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/**
 * The text on one line and with every control character made visible, those of the direction of writing and those without width among them: what a guest
 * wrote, or a file is called, must not steer a terminal, nor look like another. The joiners U+200C and U+200D stay as they are: Persian, the scripts of India
 * and emoji are wrong without them, and they steer nothing.
 */
export function showControls(text: string): string {
  return text.replace(CONTROLS, (char) => {
    if (char === "\n") return "\\n";
    if (char === "\t") return "\\t";
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
