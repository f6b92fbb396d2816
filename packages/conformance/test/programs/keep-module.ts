// Prepares the module of the file argv[2] with a cache in the folder argv[3], and prints what the cache did, how long that took,
// and what the module answers.
import { readFile } from "node:fs/promises";
import { argv } from "node:process";
import { pathToFileURL } from "node:url";
import { createKernel } from "@keelson/core";
import { createCompileCache, wasmModule } from "@keelson/wasm";
import { adapter } from "../adapter.ts";

const [, , file, folder] = argv;
const cache = createCompileCache({ folder: pathToFileURL(`${folder}/`) });
const kernel = createKernel({ platform: adapter.platform() });
const source = new Uint8Array(await readFile(file as string));
const started = performance.now();
await kernel.register(wasmModule({ id: "kept", source, abi: "raw", cache }));
await kernel.start("kept");
const ms = performance.now() - started;
const answer = await kernel.invoke("kept", "f");
await kernel.shutdown();
console.log(JSON.stringify({ ...cache.disk, answer, ms }));
