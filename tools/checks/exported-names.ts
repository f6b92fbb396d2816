import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The names that a module of this repository exports, types included and sorted. It reads the forms that a package's one
 * door is written in: explicit lists, declarations, and `export type *` of the contract's files, which it follows.
 * `export *` of values is refused, because with it a reader cannot see what is public.
 */
export function exportedNames(
  file: string,
  read: (file: string) => string = (path) => readFileSync(path, "utf8"),
): string[] {
  const code = read(file)
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/^\s*\/\/.*$/gm, "");
  const names = new Set<string>();
  for (const [, target = ""] of code.matchAll(/^\s*export\s+(?:type\s*)?\*\s*from\s*"([^"]+)"/gm)) {
    if (!target.startsWith("."))
      throw new Error(`${file}: a star of ${target} hides what is public; name each`);
    for (const name of exportedNames(join(dirname(file), target), read)) names.add(name);
  }
  for (const [, list = ""] of code.matchAll(/^\s*export\s+(?:type\s+)?\{([^}]*)\}/gm)) {
    for (const item of list.split(",")) {
      const name = item
        .trim()
        .replace(/^type\s+/, "")
        .split(/\s+as\s+/)
        .at(-1);
      if (name) names.add(name);
    }
  }
  const declaration =
    /^\s*export\s+(?:declare\s+)?(?:default\s+)?(?:async\s+)?(?:abstract\s+)?(?:const|let|function\*?|class|interface|type)\s+([A-Za-z_$][\w$]*)/gm;
  for (const [, name = ""] of code.matchAll(declaration)) names.add(name);
  return [...names].toSorted();
}
