import type { RuntimeName } from "../vitest/runtime.ts";

/** A program in a Markdown text that is meant to be run. */
export interface Example {
  /** File and line, for messages. */
  readonly where: string;
  readonly code: string;
  /** The runtimes to run it on; all three unless the block names some. */
  readonly runtimes: readonly RuntimeName[];
  /** What it prints, when a `text` block follows it before any other block that is no file. */
  readonly output?: string;
  /** Files of the same text that stand beside the program when it runs, from blocks marked `file=<name>`. */
  readonly files: readonly (readonly [name: string, text: string])[];
}

interface Block {
  readonly line: number;
  readonly words: readonly string[];
  readonly text: string;
}

const ALL: readonly RuntimeName[] = ["node", "deno", "bun"];

function blocksIn(markdown: string): Block[] {
  const blocks: Block[] = [];
  for (const match of markdown.matchAll(/^```(.*)\n([\s\S]*?)^```\s*$/gm)) {
    const line = markdown.slice(0, match.index).split("\n").length;
    blocks.push({ line, words: (match[1] ?? "").trim().split(/\s+/), text: match[2] ?? "" });
  }
  return blocks;
}

const fileOf = ({ words }: Block): string | undefined =>
  words.find((word) => word.startsWith("file="))?.slice("file=".length);

/**
 * The programs of a Markdown text: blocks marked `ts run`, or `ts run deno bun` for some runtimes alone. A block of any
 * language marked `file=<name>` is written beside every program of the text.
 */
export function examplesIn(file: string, markdown: string): Example[] {
  const blocks = blocksIn(markdown);
  const files = blocks.flatMap((block) => {
    const name = fileOf(block);
    return name === undefined ? [] : [[name, block.text] as const];
  });
  const examples: Example[] = [];
  for (const [index, { line, words, text }] of blocks.entries()) {
    if (words[0] !== "ts" || words[1] !== "run") continue;
    const named = ALL.filter((name) => words.includes(name));
    const next = blocks.slice(index + 1).find((block) => fileOf(block) === undefined);
    const output = next?.words[0] === "text" && next.words.length === 1 ? { output: next.text } : {};
    examples.push({
      where: `${file}:${line}`,
      code: text,
      runtimes: named.length > 0 ? named : ALL,
      files,
      ...output,
    });
  }
  return examples;
}

const withoutBlocks = (markdown: string): string => markdown.replaceAll(/^```[\s\S]*?^```/gm, "");

/** Where a Markdown text leads to within the repository: a file, a heading of one, or a heading of its own. */
export function linksIn(markdown: string): { readonly file: string; readonly heading: string }[] {
  return [...withoutBlocks(markdown).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = "", heading = ""] = target.split("#");
      return { file, heading };
    });
}

/** The names by which links find the headings of a Markdown text. */
export function headingsIn(markdown: string): ReadonlySet<string> {
  const titles = [...withoutBlocks(markdown).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => title);
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
}
