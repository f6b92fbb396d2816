/**
 * The names a module of this repository exports, types included and sorted. It reads the explicit forms that a package's
 * one door is written in; `export *` is refused, because with it a reader cannot see what is public.
 */
export function exportedNames(source: string, file: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
  if (/^\s*export\s*(type\s*)?\*/m.test(code)) {
    throw new Error(`${file}: export * hides what is public; name each export`);
  }
  const names = new Set<string>();
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
