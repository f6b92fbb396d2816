import { KeelsonError } from "../contract/errors.ts";
import type { Manifest } from "../contract/manifest.ts";
import type { ModuleDefinition, ModuleLoader } from "../contract/module.ts";
import type { Files, Platform } from "../contract/platform.ts";
import { parseManifest, requireSmall } from "../manifest/index.ts";
import { given } from "../primitives/given.ts";
import { invalidOptions, shown } from "../primitives/invalid-options.ts";

/** Memory that a bare file without a manifest gets: 64 MiB. */
const BARE_MEMORY = 64 * 2 ** 20;

/**
 * The definition that a path or URL leads to: a manifest (`.json`), a folder with a `manifest.json`, or a bare file that some loader takes by its
 * ending, to which nothing is granted.
 * @throws KeelsonError `NOT_FOUND`, `UNKNOWN_KIND`, `INVALID_MANIFEST`, `UNSUPPORTED`, or a code of the loader's own
 */
export async function loadDefinition(
  source: string | URL,
  loaders: ReadonlyMap<string, ModuleLoader>,
  platform: Platform,
): Promise<ModuleDefinition> {
  const { files } = platform;
  if (files === undefined) {
    throw new KeelsonError("UNSUPPORTED", `The platform "${platform.name}" reads no files`, {
      hint: platform.reasons["files"] ?? "register() a definition made from bytes instead",
    });
  }
  if (typeof source !== "string" && !(source instanceof URL))
    throw invalidOptions(`The source of a plugin is ${shown(source)}`, "give a path or a file: URL");
  let url = typeof source === "string" ? toUrl(source, files) : source;
  if ((await files.stat(url))?.kind === "folder") url = new URL("manifest.json", withSlash(url));
  const bytes = await requireFile(url, files);
  if (!url.pathname.endsWith(".json")) return fromBareFile(url, loaders, platform);
  requireSmall(bytes, url.pathname);
  return fromManifest(url, loaders, platform, files);
}

/** Answers the size of a file in bytes. Refuses what is none: a pipe or a device may never end. */
async function requireFile(url: URL, files: Files): Promise<number> {
  const stat = await files.stat(url);
  if (stat?.kind === "file") return stat.bytes;
  const path = url.pathname;
  const missing = stat === undefined;
  throw new KeelsonError(
    missing ? "NOT_FOUND" : "IO",
    missing ? `There is no ${path}` : `${path} is no file`,
    {
      hint: "give a manifest.json, its folder, or a plugin file; an entry is relative to its manifest",
      details: { path },
    },
  );
}

function toUrl(source: string, files: Files): URL {
  return /^[a-z][a-z0-9+.-]+:/i.test(source) && URL.canParse(source)
    ? new URL(source)
    : files.resolve(source);
}

function withSlash(url: URL): URL {
  return url.pathname.endsWith("/") ? url : new URL(`${url.href}/`);
}

async function fromManifest(
  url: URL,
  loaders: ReadonlyMap<string, ModuleLoader>,
  platform: Platform,
  files: Files,
): Promise<ModuleDefinition> {
  const manifest = parseManifest(await files.read(url), { source: url.pathname });
  const loader = loaders.get(manifest.kind);
  if (loader === undefined)
    throw unknownKind(`Plugin "${manifest.id}" is of kind "${manifest.kind}"`, loaders);
  if (manifest.integrity !== undefined && loader.verifiesIntegrity !== true) {
    throw new KeelsonError(
      "UNSUPPORTED",
      `Plugin "${manifest.id}" declares an integrity, which nothing checks for the kind "${manifest.kind}"`,
      {
        hint: "remove `integrity`, and check the files before they are loaded",
        details: { id: manifest.id, kind: manifest.kind },
      },
    );
  }
  if (manifest.entry !== undefined) await stayInside(manifest, url, files);
  return withManifest(await loader.load(manifest, url, platform), manifest);
}

/** An entry may be a symbolic link, but not one that leads out of the plugin's folder. */
async function stayInside(manifest: Manifest, url: URL, files: Files): Promise<void> {
  const entry = new URL(manifest.entry ?? "", url);
  await requireFile(entry, files);
  const [folder, real] = await Promise.all([files.real(new URL(".", url)), files.real(entry)]);
  if (real.href.startsWith(withSlash(folder).href)) return;
  throw new KeelsonError(
    "INVALID_MANIFEST",
    `The entry of "${manifest.id}" leads out of the plugin's folder`,
    {
      hint: "put the file into the folder of the manifest",
      details: { id: manifest.id, entry: manifest.entry },
    },
  );
}

async function fromBareFile(
  url: URL,
  loaders: ReadonlyMap<string, ModuleLoader>,
  platform: Platform,
): Promise<ModuleDefinition> {
  const file = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
  const ending = /\.[^.]*$/.exec(file)?.[0] ?? "";
  const loader = [...loaders.values()].find(({ extensions = [] }) => extensions.includes(ending));
  if (loader === undefined)
    throw unknownKind(`Nothing loads files that end in "${ending}" (${file})`, loaders);
  const name = decodeURIComponent(file.slice(0, file.length - ending.length));
  const manifest = parseManifest({
    apiVersion: "keelson/v1",
    id: idFrom(name),
    name,
    version: "0.0.0",
    kind: loader.kind,
    entry: decodeURIComponent(file),
    limits: { memory: BARE_MEMORY },
  });
  return withManifest(await loader.load(manifest, url, platform), manifest);
}

/** The nearest thing to `name` that is a module id. */
function idFrom(name: string): string {
  const id = name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 64);
  return id === "" ? "plugin" : id;
}

function withManifest(definition: ModuleDefinition, manifest: Manifest): ModuleDefinition {
  return definition.manifest === undefined ? changed(definition, { manifest }) : definition;
}

function unknownKind(what: string, loaders: ReadonlyMap<string, ModuleLoader>): KeelsonError {
  return new KeelsonError("UNKNOWN_KIND", `${what}, and no loader for it was given`, {
    hint: `this kernel loads ${[...loaders.keys()].join(", ")}; pass more as createKernel({ loaders })`,
  });
}

/** The definition under another id. */
export function withId(definition: ModuleDefinition, id: string): ModuleDefinition {
  const { name, version, kind, description } = definition.metadata;
  const metadata = { id, name, version, kind, ...given({ description }) };
  return id === definition.metadata.id ? definition : changed(definition, { metadata });
}

/** A copy with `changes`. A loader may make definitions of a class, whose members a spread would lose. */
function changed(definition: ModuleDefinition, changes: Partial<ModuleDefinition>): ModuleDefinition {
  const { metadata, depends, restart, overlap, deadlines, quarantine, manifest } = definition;
  return {
    ...given({ depends, restart, overlap, deadlines, quarantine, manifest }),
    metadata,
    create: () => definition.create(),
    ...changes,
  };
}
