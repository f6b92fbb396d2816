import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPress, type Press } from "../src/press.ts";

/** A Press over a folder of its own, with a way to write pages into it; both go when it is disposed. */
export interface Scene extends AsyncDisposable {
  readonly press: Press;
  readonly url: string;
  readonly folder: string;
  /** What the kernel logged. */
  readonly logged: readonly string[];
  write(path: string, markdown: string): Promise<void>;
}

/** Opens Press over a temporary folder with a README. */
export async function scene(): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "press-test-"));
  const write = (path: string, markdown: string): Promise<void> => writeFile(join(folder, path), markdown);
  await write("README.md", "# Read me\n\nTwo words.\n");
  const logged: string[] = [];
  const press = await openPress({ shelves: [{ prefix: "", folder }], log: (line) => void logged.push(line) });
  return {
    press,
    url: press.url,
    folder,
    logged,
    write,
    async [Symbol.asyncDispose]() {
      await press.close();
      await rm(folder, { recursive: true });
    },
  };
}
