// Writes a megabyte to the file it is given, and tells the code of what came of it.
import { isKeelsonError } from "@keelson/core";
import process from "node:process";
import { adapter } from "../adapter.ts";

const { files } = await adapter();
const code = await files?.write(new URL(process.argv[2] as string), new Uint8Array(2 ** 20)).then(
  () => "written",
  (error: unknown) => (isKeelsonError(error) ? error.code : String(error)),
);
process.stdout.write(String(code));
