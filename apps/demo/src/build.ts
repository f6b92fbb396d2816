/**
 * Builds the WebAssembly plugins into dist/plugins: typography from AssemblyScript, three versions of reading and the runaways from text
 * form.
 *
 *     node src/build.ts
 *
 * Press runs it by itself when what it builds is missing or older than its sources.
 */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";

const demo = new URL("../", import.meta.url);
const built = new URL("dist/plugins/", demo);
const stampFile = new URL("stamp", built);

/** What differs between the versions of reading; `unit` words make one of what is shown. */
interface ReadingVersion {
  readonly version: string;
  readonly label: string;
  readonly unit: number;
  readonly broken?: boolean;
}

const readingVersions: readonly ReadingVersion[] = [
  { version: "1.0.0", label: " words", unit: 1 },
  { version: "2.0.0", label: " min read", unit: 220 },
  { version: "3.0.0", label: "", unit: 1, broken: true },
];

/** The folder of built plugins, ending in `/`. */
export const builtPlugins: URL = built;

/** Whether all that the sources say has been built. */
export async function isBuilt(): Promise<boolean> {
  const stamp = await readFile(stampFile, "utf8").catch(() => undefined);
  return stamp === (await sourcesHash());
}

/** Compiles the plugins; what lies in dist/plugins is replaced file by file, each whole. */
export async function build(): Promise<void> {
  const hash = await sourcesHash();
  await mkdir(built, { recursive: true });
  const folder = new URL(`${await mkdtemp(fileURLToPath(new URL("../.build-", built)))}/`, "file:");
  try {
    await buildTypography(folder);
    await buildReading(folder);
    await buildRunaways(folder);
    for (const name of await readdir(folder)) await rename(new URL(name, folder), new URL(name, built));
    await writeFile(new URL("stamp", folder), hash);
    await rename(new URL("stamp", folder), stampFile);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function buildTypography(folder: URL): Promise<void> {
  const { main } = await import("assemblyscript/asc");
  const source = fileURLToPath(new URL("guest/typography/typography.ts", demo));
  const out = fileURLToPath(new URL("typography.wasm", folder));
  const packages = fileURLToPath(new URL("node_modules", demo));
  const options = ["--outFile", out, "--path", packages, "--optimize", "--runtime", "incremental"];
  const { error } = await main([source, ...options]);
  if (error !== null) throw error;
  const manifest = await readFile(new URL("guest/typography/manifest.json", demo));
  await writeFile(new URL("typography.json", folder), manifest);
}

async function buildReading(folder: URL): Promise<void> {
  const template = await readFile(new URL("guest/reading/reading.wat", demo), "utf8");
  for (const { version, label, unit, broken = false } of readingVersions) {
    const text = template
      .replace("@LABEL@", label)
      .replace("@LABEL_LENGTH@", String(label.length))
      .replace("@UNIT@", String(unit))
      // Minutes are rounded up: no page takes none.
      .replace("@ROUND@", String(unit - 1))
      .replace(
        "@BROKEN@",
        broken ? "(call $panic (i32.const 320) (global.get $broken_len)) (unreachable)" : "",
      );
    await assemble(text, new URL(`reading-${version}.wasm`, folder));
  }
}

async function buildRunaways(folder: URL): Promise<void> {
  const sources = new URL("guest/runaway/", demo);
  for (const name of await readdir(sources)) {
    const text = await readFile(new URL(name, sources), "utf8");
    await assemble(text, new URL(name.replace(/\.wat$/, ".wasm"), folder));
  }
}

/** From text form to binary. */
async function assemble(text: string, to: URL): Promise<void> {
  const { default: loadWabt } = await import("wabt");
  const wabt = await loadWabt();
  const module = wabt.parseWat(to.pathname, text, { bulk_memory: true, exceptions: true });
  try {
    module.validate();
    await writeFile(to, module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

/** A hash over all that the build reads. */
async function sourcesHash(): Promise<string> {
  const folders = [
    new URL("guest/typography/", demo),
    new URL("guest/reading/", demo),
    new URL("guest/runaway/", demo),
    new URL("../../packages/wasm/guest/assemblyscript/", demo),
  ];
  const hash = createHash("sha256");
  const files = [new URL(import.meta.url), new URL("package.json", demo)];
  for (const folder of folders) {
    for (const name of (await readdir(folder)).sort()) files.push(new URL(name, folder));
  }
  for (const file of files) hash.update(file.pathname.split("/").at(-1) ?? "").update(await readFile(file));
  return hash.digest("hex");
}

if (import.meta.main) {
  if (process.argv.includes("--force") || !(await isBuilt())) await build();
}
