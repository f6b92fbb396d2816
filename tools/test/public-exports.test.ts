import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { isKeelsonError } from "../../packages/core/src/plain.ts";
import { type PackageJson, publishedPackages } from "../packages.ts";
import { currentRuntime } from "../vitest/runtime.ts";

/** What a caller without types may give. */
const wrong: readonly unknown[] = [
  undefined,
  null,
  0,
  Number.NaN,
  "",
  "x",
  true,
  1n,
  {},
  [],
  [null],
  () => {},
  new Date(0),
  new Map(),
  new Uint8Array(3),
];

/** In each place of a call, alone and behind what fits more often. */
const calls: readonly (readonly unknown[])[] = wrong.flatMap((value) => [
  [value],
  [value, value],
  [value, value, value],
  ["x", value],
  [{}, value],
  [{}, {}, value],
]);

/** What options are read and refused by: and texts are shown by: Keelson's own code alone calls them, with descriptions and texts of its own. */
const own: readonly string[] = ["given", "requireOptions", "showControls"];

/** Adapters of other runtimes cannot be loaded here, and test runners' bindings declare tests. */
const elsewhere = ["node", "deno", "bun"]
  .filter((runtime) => runtime !== currentRuntime())
  .map((runtime) => `@keelson/${runtime}`);

function entries({ exports = {} }: PackageJson): [entry: string, file: string][] {
  return Object.entries(exports).flatMap(([entry, target]): [string, string][] => {
    if (/-test$|\/vitest$/.test(entry)) return [];
    const file = typeof target === "string" ? target : (target[currentRuntime()] ?? target["default"]);
    return file?.endsWith(".ts") === true ? [[entry, file]] : [];
  });
}

/** Its answer, with what came by it ended; or what it threw, at once or later. */
async function outcome(run: (...given: unknown[]) => unknown, given: readonly unknown[]): Promise<unknown> {
  try {
    // Classes as well, which there are few of.
    const made = /^class\b/.test(Function.prototype.toString.call(run))
      ? Reflect.construct(run, given)
      : run(...given);
    const answer: unknown = await made;
    if (typeof answer !== "object" || answer === null) return undefined;
    if (Symbol.asyncDispose in answer) await (answer as AsyncDisposable)[Symbol.asyncDispose]();
    else if (Symbol.dispose in answer) (answer as Disposable)[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return error;
  }
}

for (const { name, folder, json } of publishedPackages()) {
  if (elsewhere.includes(name)) continue;
  describe(`the exports of ${name}`, () => {
    for (const [entry, file] of entries(json)) {
      it(`answer whatever is given to ${entry}, or throw a KeelsonError`, async () => {
        const exported = (await import(pathToFileURL(join(folder, file)).href)) as Record<string, unknown>;
        const raw: string[] = [];
        let tried = 0;
        for (const [key, value] of Object.entries(exported)) {
          if (typeof value !== "function" || own.includes(key)) continue;
          tried++;
          for (const given of [[], ...calls]) {
            const thrown = await outcome(value as (...given: unknown[]) => unknown, given);
            // What the checks of conformance are made of throws its own.
            if (thrown === undefined || isKeelsonError(thrown) || nameOf(thrown) === "BrokenPromise")
              continue;
            raw.push(`${key}(${given.map(shown).join(", ")}): ${String(thrown)}`);
          }
        }
        expect(raw).toEqual([]);
        expect(tried).toBeGreaterThan(0);
      });
    }
  });
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.constructor.name : typeof thrown;
}

function shown(value: unknown): string {
  return typeof value === "object" && value !== null ? value.constructor.name : String(value);
}
