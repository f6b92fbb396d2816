import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root, runOrThrow } from "./command.ts";

/** What the checks read of a package.json. */
export interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** A package of the workspace. */
export interface WorkspacePackage {
  readonly name: string;
  readonly folder: string;
  readonly json: PackageJson;
}

/** The packages under packages/ that are published, in the order of their folders' names. */
export function publishedPackages(): WorkspacePackage[] {
  return readdirSync(join(root, "packages"))
    .map((name) => join(root, "packages", name))
    .filter((folder) => existsSync(join(folder, "package.json")))
    .map((folder) => {
      const json = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as PackageJson;
      return { name: json.name, folder, json };
    })
    .filter(({ json }) => json.private !== true);
}

/** Builds every package and packs it into `destination`, as it would be published; returns the tarballs by name. */
export async function packAll(destination: string): Promise<Map<string, string>> {
  await runOrThrow("turbo", ["run", "build", "--output-logs=errors-only"]);
  const tarballs = new Map<string, string>();
  for (const { name, folder } of publishedPackages()) {
    const output = await runOrThrow("pnpm", ["pack", "--json", "--pack-destination", destination], {
      cwd: folder,
    });
    const { filename } = JSON.parse(output.slice(output.indexOf("{"))) as { filename: string };
    tarballs.set(name, filename);
  }
  return tarballs;
}
