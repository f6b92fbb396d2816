import process from "node:process";

/** Bun's own variable, and one that tells that it was set here. */
const COUNT = "BUN_JSC_maxNumWasmFastMemories";
const SET_HERE = "KEELSON_FAST_MEMORIES";
/** As many as a kernel has instances, unless its host says otherwise. */
const MEMORIES = 1000;

/**
 * On Bun, begins this program anew in the same process, with fast memories for a thousand instances. Bun has eight, and can be told only
 * before it starts: past them an instance takes a collection of all garbage to be made, and a copy of its memory each time it grows. Does
 * nothing elsewhere, or where the user has set it. The variables are taken away again; only what is started by `Bun.spawn` itself, without an
 * environment of its own, still inherits them.
 */
export function useFastMemories(): void {
  const { env, versions, execve, execPath, platform } = process;
  // First, for Deno may refuse to show the environment.
  if (versions["bun"] === undefined || platform === "win32" || execve === undefined) return;
  if (env[SET_HERE] !== undefined) {
    delete env[SET_HERE];
    delete env[COUNT];
    return;
  }
  if (env[COUNT] !== undefined || env["BUN_JSC_useWasmFastMemory"] !== undefined) return;
  const again = { ...env, [COUNT]: String(MEMORIES), [SET_HERE]: "1" };
  try {
    execve.call(process, execPath, argumentsAnew(process), again);
  } catch {
    // It goes on as it is.
  }
}

/** The arguments with which a program on Bun begins anew as it was begun, the program itself first. */
export function argumentsAnew(begun: Pick<NodeJS.Process, "argv" | "execArgv" | "execPath">): string[] {
  const { argv, execArgv, execPath } = begun;
  // A program made by `bun build --compile` takes all its arguments for its own.
  if (argv[1]?.startsWith("/$bunfs/") === true) return [execPath, ...argv.slice(2)];
  // It is in that directory already; a relative one would be looked for there.
  const flags = execArgv.filter(
    (flag, index) => flag !== "--bun" && !/^--cwd(=|$)/.test(flag) && execArgv[index - 1] !== "--cwd",
  );
  // Without --bun, Bun hands a script with a `node` shebang to Node.
  return [execPath, "--bun", ...flags, ...argv.slice(1)];
}
