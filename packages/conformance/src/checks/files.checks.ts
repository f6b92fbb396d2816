import { isKeelsonError, type Bytes, type Files } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, handled, type Check, type CheckContext } from "../check.ts";
import { pathOf } from "../program.ts";
import type { Subject } from "../subject.ts";
import { readAll, startChild } from "./child-setup.ts";

/** A folder of the check's own; removed when it ends. */
export async function openFolder(
  subject: Subject,
  context: CheckContext,
): Promise<{ files: Files; folder: URL }> {
  const { files, random } = subject.platform();
  if (files === undefined) throw new TypeError("the platform supports files and has none");
  const scratch = subject.scratch ?? files.resolve("./");
  const base = scratch.href.endsWith("/") ? scratch : new URL(`${scratch.href}/`);
  const folder = new URL(`.keelson-conformance-${random.id()}/`, base);
  context.defer(() => files.remove(folder));
  return { files, folder };
}

const bytesOf = (text: string): Bytes => new TextEncoder().encode(text);
const textOf = (bytes: Bytes): string => new TextDecoder().decode(bytes);

/** Checks of a platform's files. */
export const filesChecks: readonly Check[] = [
  {
    id: "files.round-trip",
    title:
      "what is written is read again, byte for byte; folders on the way are made, and an old file is replaced",
    requires: ["files"],
    async run(subject, context) {
      const { files, folder } = await openFolder(subject, context);
      const { clock } = subject.platform();
      const file = new URL("a/b/c.bin", folder);
      const before = clock.wall();
      for (const length of [70_000, 3, 0]) {
        const bytes = Uint8Array.from({ length }, (_, index) => index % 256);
        await files.write(file, bytes);
        const read = await files.read(file);
        ensureEqual([...read], [...bytes], `the ${length} bytes`);
        read.fill(1);
        ensureEqual([...(await files.read(file))], [...bytes], "the bytes after a reader changed its own");
        const stat = await files.stat(file);
        ensureEqual([stat?.kind, stat?.bytes], ["file", length], "kind and size");
        ensure(
          Math.abs((stat?.modified ?? 0) - before) < 120_000,
          `modified is ${stat?.modified}, not about now`,
        );
      }
      ensureEqual((await files.stat(new URL("a/", folder)))?.kind, "folder", "kind of the folder");
    },
  },
  {
    id: "files.missing",
    title:
      "what is not there is NOT_FOUND to read, list and real(), undefined to stat() and fine to remove()",
    requires: ["files"],
    async run(subject, context) {
      const { files, folder } = await openFolder(subject, context);
      await files.write(new URL("file", folder), bytesOf("x"));
      for (const name of ["none", "none/none", "file/none"]) {
        const file = new URL(name, folder);
        await ensureCode(files.read(file), "NOT_FOUND", `read ${name}`);
        await ensureCode(files.list(file), "NOT_FOUND", `list ${name}`);
        await ensureCode(files.real(file), "NOT_FOUND", `real ${name}`);
        ensureEqual(await files.stat(file), undefined, `stat of ${name}`);
      }
      await files.remove(new URL("none", folder));
    },
  },
  {
    id: "files.native-errors-stay-below",
    title: "every other failure is a KeelsonError too",
    requires: ["files"],
    async run(subject, context) {
      const { files, folder } = await openFolder(subject, context);
      await files.write(new URL("file", folder), bytesOf("x"));
      const tries: Readonly<Record<string, () => Promise<unknown>>> = {
        "reading a folder": () => files.read(folder),
        "writing over a folder": () => files.write(folder, bytesOf("x")),
        "writing below a file": () => files.write(new URL("file/below", folder), bytesOf("x")),
        "reading what is no file": () => files.read(new URL("https://example.com/x")),
      };
      for (const [what, attempt] of Object.entries(tries)) {
        const error = await attempt().then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        ensure(error !== undefined, `${what} succeeded`);
        ensure(isKeelsonError(error), `${what} failed with a native error: ${String(error)}`);
      }
    },
  },
  {
    id: "files.list-and-remove",
    title: "list() gives the names of a folder, sorted; remove() takes a folder with all that is in it",
    requires: ["files"],
    async run(subject, context) {
      const { files, folder } = await openFolder(subject, context);
      for (const name of ["b", "a", "c/deep/er", "B", "10", "9"])
        await files.write(new URL(name, folder), bytesOf(name));
      ensureEqual(await files.list(folder), ["10", "9", "B", "a", "b", "c"], "names");
      await files.remove(new URL("c", folder));
      await files.remove(new URL("a", folder));
      ensureEqual(await files.list(folder), ["10", "9", "B", "b"], "names after the removal");
    },
  },
  {
    id: "files.whole-or-nothing",
    title: "a reader sees the old bytes or the new ones, never a part, and nothing is left beside them",
    requires: ["files"],
    async run(subject, context) {
      const { files, folder } = await openFolder(subject, context);
      const file = new URL("file", folder);
      const version = (n: number): Bytes => new Uint8Array(300_000).fill(n);
      await files.write(file, version(0));
      let writing = true;
      const writes = handled(
        (async () => {
          for (let n = 1; n <= 8 && !context.signal.aborted; n++) await files.write(file, version(n));
        })().finally(() => {
          writing = false;
        }),
      );
      context.defer(() => writes.catch(() => {}));
      do {
        const bytes = await files.read(file);
        ensureEqual(bytes.length, 300_000, "bytes read during a write");
        ensure(
          bytes.every((byte) => byte === bytes[0]),
          "a reader saw a part of one version and a part of another",
        );
      } while (writing);
      await writes;
      ensureEqual(await files.list(folder), ["file"], "names in the folder afterwards");
    },
  },
  {
    id: "files.names",
    title:
      "resolve() makes a URL of any path, and names with spaces, %, #, ? and letters of any script come back as they were",
    requires: ["files"],
    async run(subject, context) {
      const { files, folder } = await openFolder(subject, context);
      const names = ["100%25", "a b", "a#b", "grüße", "what?", "日本"];
      for (const name of names) await files.write(files.resolve(`${pathOf(folder)}${name}`), bytesOf(name));
      ensureEqual([...(await files.list(folder))].toSorted(), names.toSorted(), "names");
      for (const name of names)
        ensureEqual(textOf(await files.read(new URL(encodeURIComponent(name), folder))), name, name);
    },
  },
  {
    id: "files.real-follows-links",
    title: "real() resolves every symbolic link, so that nobody is led out of a folder unseen",
    requires: ["files", "processes", "child"],
    async run(subject, context) {
      const { files, folder } = await openFolder(subject, context);
      const target = new URL("outside/secret", folder);
      await files.write(target, bytesOf("x"));
      await files.write(new URL("inside/own", folder), bytesOf("x"));
      const child = await startChild(
        subject,
        context,
        "link",
        pathOf(new URL("outside", folder)),
        pathOf(new URL("inside/way", folder)),
      );
      ensureEqual(await readAll(child.stdout), "done\n", "what made the link said");
      const real = await files.real(new URL("inside/way/secret", folder));
      ensureEqual(real.href, (await files.real(target)).href, "where the link leads");
    },
  },
];
