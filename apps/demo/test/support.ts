import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPress, type Press } from "../src/press.ts";

/** A Press over a folder of its own, with a way to write pages into it; both go when it is disposed. */
export interface Scene extends AsyncDisposable {
  readonly press: Press;
  readonly url: string;
  readonly folder: string;
  write(path: string, markdown: string): Promise<void>;
}

/** Opens Press over a temporary folder with a README. */
export async function scene(): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "press-test-"));
  const write = (path: string, markdown: string): Promise<void> => writeFile(join(folder, path), markdown);
  await write("README.md", "# Read me\n\nTwo words.\n");
  const press = await openPress({ shelves: [{ prefix: "", folder }] });
  return {
    press,
    url: press.url,
    folder,
    write,
    async [Symbol.asyncDispose]() {
      await press.close();
      await rm(folder, { recursive: true });
    },
  };
}
