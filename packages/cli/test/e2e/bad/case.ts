// Everything a host can be given that is bad, as data: each must be a KeelsonError with the code named here and a hint, and leave nothing.
import { isKeelsonError, type ErrorCode, type Kernel } from "@keelson/core";

/** What a case works with. */
export interface Ground {
  /** A kernel with the witness, a module that answers throughout. */
  readonly kernel: Kernel;
  /** Writes a file into a folder of the case's own; answers its path. */
  write(path: string, content: string | Uint8Array): string;
  /** Makes a symbolic link there. */
  link(path: string, target: string): string;
}

/** One bad thing. */
export interface BadCase {
  /** A sentence that begins with what is bad. */
  readonly title: string;
  readonly code: ErrorCode | readonly ErrorCode[];
  /** Does the bad thing; must throw or reject. */
  run(ground: Ground): unknown;
}

/** Runs a case and says what is wrong with how it ended; undefined if nothing is. */
export async function judge(bad: BadCase, ground: Ground): Promise<string | undefined> {
  const before = ground.kernel.list().length;
  let verdict: string | undefined;
  try {
    const value: unknown = await bad.run(ground);
    verdict = `it gave ${String(value)} instead of an error`;
  } catch (error) {
    verdict = faultOf(error, bad.code);
  }
  const answer = await ground.kernel.invoke("witness", "answer").catch((error: unknown) => String(error));
  if (answer !== 42) verdict ??= `the witness answered ${String(answer)}`;
  // What was registered by the case is its own to remove, and can be.
  for (const { metadata } of ground.kernel.list().slice(before)) await ground.kernel.unload(metadata.id);
  return verdict;
}

function faultOf(error: unknown, code: BadCase["code"]): string | undefined {
  if (!isKeelsonError(error)) return `it threw no KeelsonError but ${String(error)}`;
  const codes: readonly string[] = typeof code === "string" ? [code] : code;
  if (!codes.includes(error.code))
    return `its code is ${error.code}, not ${codes.join(" or ")}: ${error.message}`;
  if (error.hint === undefined || error.hint === "") return `it has no hint: ${error.code} ${error.message}`;
  return undefined;
}
