import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const ROOT = new URL("../../../../", import.meta.url);

/** The members that an interface declares, from its text: types leave nothing to ask at run time. */
function membersOf(text: string, name: string): string[] {
  const [, body = ""] = text.split(`export interface ${name} {\n`);
  const [own = ""] = body.split("\n}\n");
  return [...own.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, member = ""]) => member);
}

test("docs/wasm.md names every option of wasmModule and every limit", () => {
  const source = readFileSync(new URL("packages/wasm/src/module/options.ts", ROOT), "utf8");
  const page = readFileSync(new URL("docs/wasm.md", ROOT), "utf8");
  const options = membersOf(source, "WasmModuleOptions").filter((option) => option !== "limits");
  const limits = membersOf(source, "WasmLimits").map((limit) => `limits.${limit}`);
  expect(options).toContain("isolation");
  expect(limits).toContain("limits.fuel");
  expect([...options, ...limits].filter((option) => !page.includes(`\`${option}\``))).toEqual([]);
});
