import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";

/** Compiles an AssemblyScript file that lies in `guest/assemblyscript`, as a plugin's author would. */
export async function assemblyScript(file: string): Promise<Uint8Array<ArrayBuffer>> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-asc-"));
  try {
    const entry = fileURLToPath(new URL(`../../guest/assemblyscript/${file}`, import.meta.url));
    const out = join(folder, "plugin.wasm");
    const { error } = await main([entry, "--outFile", out, "--optimize", "--runtime", "incremental"]);
    if (error !== null) throw error;
    return new Uint8Array(await readFile(out));
  } finally {
    await rm(folder, { recursive: true });
  }
}
