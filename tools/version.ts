/**
 * Makes versions and changelogs of the changesets, as a release begins: `pnpm release:version`. What the registry of Deno reads follows the
 * package.json beside it.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readArguments } from "./arguments.ts";
import { runOrThrow } from "./command.ts";
import { publishedPackages } from "./packages.ts";

readArguments(
  "pnpm release:version: writes versions and changelogs, and removes the changesets",
  {},
  () => undefined,
);
await runOrThrow("changeset", ["version"]);
for (const { name, folder, json } of publishedPackages()) {
  const file = join(folder, "jsr.json");
  if (existsSync(file)) {
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(/("version": )"[^"]*"/, `$1"${json.version}"`));
  }
  console.log(`${name} ${json.version}`);
}
