import { expect, test } from "vitest";
import { exportedNames } from "../checks/exported-names.ts";

const reading =
  (files: Record<string, string>) =>
  (file: string): string =>
    files[file] ?? "";

test("values, types, renamed and declared exports are named, comments are not", () => {
  const source = `
    // export { no } from "./no.ts";
    /** export const neither = 1; */
    export { b, type C, d as e } from "./x.ts";
    export type { F } from "./y.ts";
    export const g = 1;
    export async function h(): Promise<void> {}
    export interface I {}
    const hidden = 2;
  `;
  expect(exportedNames("index.ts", () => source)).toEqual(["C", "F", "I", "b", "e", "g", "h"]);
});

test("stars are followed into the package's own files", () => {
  const read = reading({
    "src/index.ts": `export type * from "./contract/a.ts";`,
    "src/contract/a.ts": `export interface A {}\nexport * from "./b.ts";`,
    "src/contract/b.ts": `export type B = 1;`,
  });
  expect(exportedNames("src/index.ts", read)).toEqual(["A", "B"]);
});

test("a star of another package is refused, since it hides what is public", () => {
  expect(() => exportedNames("x.ts", () => `export * from "@keelson/y";`)).toThrow("@keelson/y");
});
