import { expect, test } from "vitest";
import { packedText } from "../packed-text.ts";

const fence = "```";
const page = "packages/core/README.md";
const bare = { page, place: () => undefined };

test("a link out of the package becomes words, one to a page of the documentation names it, and the last line says where it is", () => {
  const text =
    "See [Keelson](../../README.md), [the pool](../../docs/pool.md#leases) and [npm](https://n.example).\n";
  expect(packedText(text, "README.md", bare)).toBe(
    "See Keelson, the pool (`docs/pool.md`) and [npm](https://n.example).\n\nThe pages named `docs/…` are in the package `keelson`.\n",
  );
  expect(packedText("See [Keelson](../../README.md) and [below](#below).\n", "README.md", bare)).toBe(
    "See Keelson and [below](#below).\n",
  );
});

test("where the documentation is packed too, links lead to it, and rows about what is not are left out", () => {
  const packed = new Set(["docs/README.md", "docs/pool.md"]);
  const place = (file: string): string | undefined =>
    packed.has(file) ? file : file === "README.md" ? "docs/README.md" : undefined;
  expect(
    packedText("[K](../../README.md) [p](../../docs/pool.md#leases)\n", "README.md", {
      page: "packages/cli/README.md",
      place,
    }),
  ).toBe("[K](docs/README.md) [p](docs/pool.md#leases)\n");
  const table =
    "| a | b |\n| --- | --- |\n| [Pool](pool.md) | x |\n| [Figures](figures.md) | y |\n| c | [w](../WHY.md) |\n";
  expect(packedText(table, "docs/README.md", { page: "docs/README.md", place })).toBe(
    "| a | b |\n| --- | --- |\n| [Pool](pool.md) | x |\n| c | w |\n",
  );
});

test("code stays as it is", () => {
  const text = `${fence}md\n[a](../../docs/a.md)\n${fence}\n`;
  expect(packedText(text, "README.md", bare)).toBe(text);
});
