import { expect, test } from "vitest";
import { exportedNames } from "../checks/exported-names.ts";

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
  expect(exportedNames(source, "x.ts")).toEqual(["C", "F", "I", "b", "e", "g", "h"]);
});

test("a star export is refused, since it hides what is public", () => {
  expect(() => exportedNames(`export * from "./x.ts";`, "x.ts")).toThrow("x.ts");
  expect(() => exportedNames(`export type * from "./x.ts";`, "x.ts")).toThrow("x.ts");
});
