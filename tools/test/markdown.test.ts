import { expect, test } from "vitest";
import { examplesIn, headingsIn, linksIn } from "../checks/markdown.ts";

const fence = "```";

test("a block marked `ts run` is an example for all runtimes, with the text block behind it as its output", () => {
  const text = `# Title\n\n${fence}ts run\nconsole.log(1);\n${fence}\n\nIt prints:\n\n${fence}text\n1\n${fence}\n`;
  expect(examplesIn("a.md", text)).toEqual([
    {
      where: "a.md:3",
      code: "console.log(1);\n",
      runtimes: ["node", "deno", "bun"],
      files: [],
      output: "1\n",
    },
  ]);
});

test("an example names its runtimes, and a block between it and a text block keeps them apart", () => {
  const text = `${fence}ts run deno\n1;\n${fence}\n${fence}sh\nls\n${fence}\n${fence}text\nx\n${fence}\n`;
  expect(examplesIn("a.md", text)).toEqual([
    { where: "a.md:1", code: "1;\n", runtimes: ["deno"], files: [] },
  ]);
});

test("a block with a file name stands beside every example of its text", () => {
  const text = `${fence}json file=a/b.json\n{}\n${fence}\n${fence}ts run\n1;\n${fence}\n${fence}ts\n2;\n${fence}\n`;
  expect(examplesIn("a.md", text)).toMatchObject([{ code: "1;\n", files: [["a/b.json", "{}\n"]] }]);
});

test("a file between an example and its text block does not keep them apart", () => {
  const text = `${fence}ts run\n1;\n${fence}\n${fence}js file=a.js\n2;\n${fence}\n${fence}text\nx\n${fence}\n`;
  expect(examplesIn("a.md", text)).toMatchObject([{ code: "1;\n", output: "x\n" }]);
});

test("links to files and headings are found, those in code and to elsewhere are not", () => {
  const text = `[a](a.md#the-b) [c](#c) [d](https://d.example)\n${fence}ts\n[e](e.md)\n${fence}\n`;
  expect(linksIn(text)).toEqual([
    { file: "a.md", heading: "the-b" },
    { file: "", heading: "c" },
  ]);
});

test("headings go by the names that links use", () => {
  const text = `# The \`b\`, and c\n\n${fence}sh\n# no heading\n${fence}\n\n### "Surely ended"\n`;
  expect([...headingsIn(text)]).toEqual(["the-b-and-c", "surely-ended"]);
});
