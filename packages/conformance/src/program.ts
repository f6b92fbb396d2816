import type { Subject } from "./subject.ts";

/** The program that checks start as a child. One folder up, here as in what is published. */
const program = new URL("../programs/child.mjs", import.meta.url);

/** The command that runs a scenario of the child program on the runtime under test; the check must require "child". */
export function childCommand(
  { child }: Subject,
  ...words: readonly string[]
): { command: string; args: string[] } {
  if (child === undefined) throw new TypeError('a check that starts a child program must require "child"');
  return { command: child.command, args: [...child.args, pathOf(program), ...words] };
}

/** The path of a `file:` URL as the system writes it. */
export function pathOf(file: URL): string {
  const path = decodeURIComponent(file.pathname);
  return /^\/[A-Za-z]:/.test(path) ? path.slice(1) : path;
}
