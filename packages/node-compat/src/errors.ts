import {
  asKeelsonError,
  describeThrown,
  isKeelsonError,
  type ErrorCode,
  type KeelsonError,
} from "@keelson/core";

/** Native error codes, and the names of Deno's error classes, as codes of Keelson. What is not here is `IO`. */
const codes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "NOT_FOUND",
  ENOTDIR: "NOT_FOUND",
  NotFound: "NOT_FOUND",
  NotADirectory: "NOT_FOUND",
  EACCES: "PERMISSION_DENIED",
  EPERM: "PERMISSION_DENIED",
  EROFS: "PERMISSION_DENIED",
  ERR_ACCESS_DENIED: "PERMISSION_DENIED",
  PermissionDenied: "PERMISSION_DENIED",
  NotCapable: "PERMISSION_DENIED",
};

/** A fact of a thrown value by name, whatever was thrown. */
function fact(error: unknown, name: "code" | "name" | "permission"): string {
  const value: unknown =
    typeof error === "object" && error !== null ? (error as Record<string, unknown>)[name] : "";
  return typeof value === "string" ? value : "";
}

/** Whether a native error says that a path does not exist. */
export function isNotFound(error: unknown): boolean {
  return nativeCode(error) === "NOT_FOUND";
}

/** The code of Keelson for a native error; `IO` for one that the table does not name. */
export function nativeCode(error: unknown): ErrorCode {
  return codes[fact(error, "code")] ?? codes[fact(error, "name")] ?? "IO";
}

/**
 * A native failure of a file operation as a {@link KeelsonError}: `NOT_FOUND`, `PERMISSION_DENIED` or `IO`.
 * @param doing what was tried, such as "read"
 * @param path what it was tried on
 */
export function fileError(error: unknown, doing: string, path: string): KeelsonError {
  if (isKeelsonError(error)) return error;
  const code = nativeCode(error);
  const missing = `cannot ${doing} ${path}`;
  const hint = code === "PERMISSION_DENIED" ? permissionHint(error, path) : fileHints[code];
  return asKeelsonError(error, code, missing, { details: { path }, ...(hint === undefined ? {} : { hint }) });
}

const fileHints: Partial<Record<ErrorCode, string>> = {
  NOT_FOUND: "check the path; relative ones start at the working directory",
  IO: "the cause is what the system said; look at the path, the disk and the mount",
};

/** What to do about a refusal: the flag, if it was the runtime that refused. */
export function permissionHint(error: unknown, scope: string): string {
  // Deno: `Requires read access to "/x", run again with the --allow-read flag`
  const deno = /--allow-([a-z]+)/.exec(describeThrown(error))?.[1];
  if (deno !== undefined) return `run again with --allow-${deno}${deno === "all" ? "" : `=${scope}`}`;
  // Node's permission model names what is missing: FileSystemRead, FileSystemWrite, ChildProcess
  const flag = nodeFlags[fact(error, "permission")];
  if (flag !== undefined) return `run again with ${flag}${flag.startsWith("--allow-fs") ? `=${scope}` : ""}`;
  return "check who owns it and its mode";
}

const nodeFlags: Readonly<Record<string, string>> = {
  FileSystemRead: "--allow-fs-read",
  FileSystemWrite: "--allow-fs-write",
  ChildProcess: "--allow-child-process",
};

/** A failure to start a program as a {@link KeelsonError}: `SPAWN_FAILED` or, when the runtime forbids it, `PERMISSION_DENIED`. */
export function spawnError(error: unknown, command: string, facts: SpawnFacts): KeelsonError {
  if (isKeelsonError(error)) return error;
  const details = { command, ...(facts?.cwd === undefined ? {} : { cwd: facts.cwd }) };
  if (fact(error, "name") === "NotCapable" || fact(error, "code") === "ERR_ACCESS_DENIED") {
    const hint = permissionHint(error, command);
    return asKeelsonError(error, "PERMISSION_DENIED", `cannot start ${command}`, { hint, details });
  }
  return asKeelsonError(error, "SPAWN_FAILED", `cannot start ${command}`, {
    hint: spawnHint(error, command, facts ?? {}),
    details,
  });
}

/** What {@link spawnError} may ask to tell the causes apart. */
export interface SpawnFacts {
  /** The working directory asked for, and whether it is a folder; undefined if it cannot be told. */
  readonly cwd: string | undefined;
  readonly cwdIsFolder: boolean | undefined;
  /** The PATH the command was looked up in. */
  readonly path: string | undefined;
}

function spawnHint(error: unknown, command: string, { cwd, cwdIsFolder, path }: SpawnFacts): string {
  if (cwd !== undefined && cwdIsFolder === false)
    return `the working directory ${cwd} is no folder; make it, or correct cwd`;
  const code = nativeCode(error);
  if (code === "PERMISSION_DENIED")
    return `${command} is not executable for this user; chmod +x it, or name its interpreter as the command`;
  if (fact(error, "code") === "ENOEXEC")
    return `${command} is no program; give it a first line such as #!/usr/bin/env node, or name its interpreter`;
  if (code !== "NOT_FOUND") return "the cause says what the system refused";
  if (/[\\/]/.test(command)) return "check the path; a relative one starts at the child's working directory";
  return `install it, give its full path, or add its folder to PATH (now ${path ?? "not set"})`;
}
