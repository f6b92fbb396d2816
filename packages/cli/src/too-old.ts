/**
 * The oldest version that will do, as `engines` of package.json has it, which cannot be read without permissions on Deno. In this order: Deno and Bun
 * have `process.versions.node` as well.
 */
export const OLDEST: readonly (readonly [name: string, key: string, version: string])[] = [
  ["Deno", "deno", "2.9"],
  ["Bun", "bun", "1.4"],
  ["Node", "node", "24"],
];

/** Says that the runtime with these `process.versions` is too old; undefined if it is not. */
export function tooOld(versions: Readonly<Record<string, string | undefined>>): string | undefined {
  for (const [name, key, oldest] of OLDEST) {
    const version = versions[key];
    if (version === undefined) continue;
    if (!isBefore(version, oldest)) return undefined;
    const needed = OLDEST.map(([one, , least]) => `${one} ${least}`).join(", ");
    return `${name} ${version} is too old\n  hint: run it on one of ${needed}, or later`;
  }
  return undefined;
}

function isBefore(version: string, oldest: string): boolean {
  const parts = version.split(".").map(Number);
  for (const [index, least] of oldest.split(".").map(Number).entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}
