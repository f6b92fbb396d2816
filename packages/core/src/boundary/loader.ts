import { KeelsonError } from "../contract/errors.ts";
import type { ModuleLoader } from "../contract/module.ts";
import { processModule } from "./process-module.ts";
import { given } from "../primitives/given.ts";

/**
 * Loads manifests of kind "process". The child runs in the manifest's folder; a command that begins with `./` is looked up there and may
 * not leave it (`INVALID_MANIFEST`).
 */
export const processLoader: ModuleLoader = {
  kind: "process",
  async load(manifest, base) {
    const [command, ...args] = manifest.command ?? [];
    if (command === undefined) {
      throw new KeelsonError("INVALID_MANIFEST", `The manifest of ${manifest.id} names no command`, {
        hint: 'a manifest of kind "process" needs "command": ["program", "argument", …]',
        details: { field: "command" },
      });
    }
    const { id, name, version, description, env, restart, depends, overlap, health } = manifest;
    return processModule({
      id,
      name,
      version,
      command: resolveCommand(command, base),
      args,
      cwd: new URL(".", base),
      depends,
      manifest,
      ...given({ description, env, restart, overlap, health }),
    });
  },
};

function resolveCommand(command: string, base: URL): string {
  if (!command.startsWith("./") && !command.startsWith("../")) return command;
  const file = new URL(command.replaceAll("%", "%25").replaceAll("?", "%3F").replaceAll("#", "%23"), base);
  if (file.href.startsWith(new URL(".", base).href)) return decodeURIComponent(file.pathname);
  throw new KeelsonError("INVALID_MANIFEST", `The command ${command} leaves the manifest's folder`, {
    hint: "name a program inside the folder, or one that is found in PATH",
    details: { field: "command" },
  });
}
