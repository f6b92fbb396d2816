import { expect, test } from "vitest";
import { readArguments, UsageError, type Command, type ParsedArguments } from "../src/arguments.ts";

const COMMAND: Command = {
  name: "try",
  description: "",
  args: {
    file: { type: "positional", description: "" },
    second: { type: "positional", description: "", required: false },
    out: { type: "string", alias: "o", description: "" },
    fast: { type: "boolean", description: "" },
  },
  run: () => Promise.resolve(0),
};
const read = (...argv: readonly string[]): ParsedArguments => readArguments(COMMAND, argv);

test.each<[argv: string[], words: (string | undefined)[], out: string[], fast: boolean]>([
  [["a"], ["a", undefined], [], false],
  [["a", "b"], ["a", "b"], [], false],
  [["-"], ["-", undefined], [], false],
  [["--fast", "a"], ["a", undefined], [], true],
  [["a", "--out", "b", "c"], ["a", "c"], ["b"], false],
  [["-o", "b", "a"], ["a", undefined], ["b"], false],
  [["-o=b", "a"], ["a", undefined], ["b"], false],
  [["--out=b=c", "a", "--out", "d"], ["a", undefined], ["b=c", "d"], false],
  [["--out=-x", "a"], ["a", undefined], ["-x"], false],
  [["--", "-a"], ["-a", undefined], [], false],
  [["--fast", "--", "--out", "b"], ["--out", "b"], [], true],
  [["a", "--"], ["a", undefined], [], false],
])("%j are understood", (argv, words, out, fast) => {
  const args = read(...argv);
  expect([args.text("file"), args.text("second")]).toEqual(words);
  expect(args.texts("out")).toEqual(out);
  expect(args.text("out")).toBe(out.at(-1));
  expect(args.flag("fast")).toBe(fast);
});

test.each<[argv: string[], message: string, hint: string]>([
  [[], "<file> is missing", "keelson try --help shows what it takes"],
  [["a", "b", "c"], '"c" is one argument too many', "keelson try --help shows what it takes"],
  [["--", "a", "b", "c"], '"c" is one argument too many', "keelson try --help shows what it takes"],
  [["a", "--fast=1"], "--fast takes no value", "keelson try --help shows what it takes"],
  [["a", "--out"], "--out needs a value", "keelson try --help shows what it takes"],
  [["a", "--out="], "--out needs a value", "keelson try --help shows what it takes"],
  [["a", "--out", "--fast"], "--out needs a value", "keelson try --help shows what it takes"],
  [["a", "--outt", "b"], "try has no option --outt", "did you mean --out?"],
  [["a", "--qqqqqq"], "try has no option --qqqqqq", "keelson try --help shows what it takes"],
  [["a", "--file", "b"], "try has no option --file", "keelson try --help shows what it takes"],
])("%j are not", (argv, message, hint) => {
  expect(() => read(...argv)).toThrow(expect.objectContaining({ message, hint }));
  expect(() => read(...argv)).toThrow(UsageError);
});
