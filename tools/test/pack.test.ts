import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { root, run } from "../command.ts";

const WRITTEN = "See [Keelson](../../README.md).\n";

/** A folder to be packed. */
function folder(): { pack(when: string): Promise<number | null>; readme: string; kept: string } {
  const cwd = mkdtempSync(join(tmpdir(), "keelson-pack-"));
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  const readme = join(cwd, "README.md");
  writeFileSync(readme, WRITTEN);
  return {
    pack: async (when) => (await run("node", [join(root, "tools/pack.ts"), when], { cwd })).code,
    readme,
    kept: join(cwd, ".README.kept.md"),
  };
}

test("a README is packed without dead links and put back, also when an earlier packing was interrupted", async () => {
  const { pack, readme, kept } = folder();
  for (const when of ["before", "before"]) {
    expect(await pack(when)).toBe(0);
    expect(readFileSync(readme, "utf8")).toBe("See Keelson.\n");
  }
  expect(await pack("after")).toBe(0);
  expect(readFileSync(readme, "utf8")).toBe(WRITTEN);
  expect(existsSync(kept)).toBe(false);
});

test("what was written into a README after an interrupted packing is not lost by the next", async () => {
  const { pack, readme, kept } = folder();
  await pack("before");
  writeFileSync(readme, "newer\n");
  expect(await pack("before")).toBe(1);
  expect(readFileSync(readme, "utf8")).toBe("newer\n");
  expect(readFileSync(kept, "utf8")).toBe(WRITTEN);
});
