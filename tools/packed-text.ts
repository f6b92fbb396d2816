import { posix } from "node:path";

/** What a packed page's links may lead to. */
export interface PackedWorld {
  /** The page's place in the repository: `packages/core/README.md`, `docs/pool.md`. */
  readonly page: string;
  /** Where a file of the repository lies in the tarball, from its top; undefined when it is not packed. */
  place(file: string): string | undefined;
}

const DOCS = /^docs\/.+\.md$/;

/**
 * A page of the repository as it is packed: links to what is packed lead there, from `at`, the page's own place in the tarball; others become words, and
 * those to pages of the documentation are named by their file, with a last line that says where these are. A row of a table about what is not
 * packed is left out where the documentation itself is.
 */
export function packedText(markdown: string, at: string, { page, place }: PackedWorld): string {
  let named = false;
  const carriesDocs = place("docs/README.md") !== undefined;
  const fileOf = (target: string): string => posix.join(posix.dirname(page), target.split("#")[0] ?? "");
  const isAway = (target: string): boolean => /^(?:[a-z]+:|#)/.test(target);
  const withoutRows = (text: string): string =>
    text.replaceAll(/^\| \[[^\]]+\]\(([^)\s]+)\) +\|.*\n/gm, (row, target: string) =>
      carriesDocs && !isAway(target) && place(fileOf(target)) === undefined ? "" : row,
    );
  const outsideOfBlocks = (text: string): string =>
    withoutRows(text).replaceAll(/\[([^\]]+)\]\(([^)\s]+)\)/g, (whole, words: string, target: string) => {
      if (isAway(target)) return whole;
      const file = fileOf(target);
      const heading = target.split("#")[1];
      const there = place(file);
      if (there !== undefined) {
        const relative = posix.relative(posix.dirname(at), there);
        return `[${words}](${heading === undefined ? relative : `${relative}#${heading}`})`;
      }
      if (carriesDocs || !DOCS.test(file)) return words;
      named = true;
      return `${words} (\`${file}\`)`;
    });
  const text = markdown
    .split(/^(```[\s\S]*?^```)/m)
    .map((part, index) => (index % 2 === 0 ? outsideOfBlocks(part) : part))
    .join("");
  return named ? `${text.trimEnd()}\n\nThe pages named \`docs/…\` are in the package \`keelson\`.\n` : text;
}
