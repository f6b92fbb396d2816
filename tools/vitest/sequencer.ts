import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Where the files are that take longest, the longest first: one of them begun last would keep a core idle at the end. */
const LONG = [
  "packages/conformance/test/broken",
  "apps/demo/test/program.test.ts",
  "packages/conformance/test/conformance.test.ts",
  "packages/wasm/test/isolation/",
  "packages/cli/test/",
];

/** Begins with the files that take longest; the others in vitest's own order, by what they took the last time or by their size. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const index = LONG.findIndex((part) => moduleId.includes(`/${part}`));
      return index === -1 ? LONG.length : index;
    };
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other));
  }
}
