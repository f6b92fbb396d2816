/** What is wrong with a path that must stay inside the plugin's folder; undefined when nothing is. */
export function entryFault(entry: string): string | undefined {
  if (entry === "") return "is empty";
  if (entry.length > 1024) return "is longer than 1024 characters";
  // eslint-disable-next-line no-control-regex -- finding them is the point
  if (/[\0-\x1f\x7f]/.test(entry)) return "holds a control character";
  if (!entry.isWellFormed()) return "is not well-formed text";
  if (entry.trim() !== entry) return "begins or ends with a space";
  if (entry.includes("\\")) return "holds a backslash; parts are joined by /";
  if (entry.startsWith("/")) return "is absolute";
  if (/^[a-zA-Z]:/.test(entry)) return "names a drive";
  if (/^[^/]*:/.test(entry)) return "is a URL";
  if (/[%?#]/.test(entry)) return "holds one of % ? #, which mean something else in a URL";
  const parts = entry.split("/");
  if (parts.includes("..")) return "leads out of the plugin's folder";
  if (parts.includes("") || parts.at(-1) === ".") return "names no file";
  // The rules above should be enough; this asks the very thing that will resolve it.
  const base = "file:///plugin/folder/";
  if (!URL.canParse(entry, base) || !new URL(entry, base).href.startsWith(base))
    return "leads out of the plugin's folder";
  return undefined;
}
