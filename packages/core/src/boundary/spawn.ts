import { asKeelsonError, KeelsonError } from "../contract/errors.ts";
import type { Platform, Process, Processes } from "../contract/platform.ts";
import { Deferred } from "../primitives/deferred.ts";
import { isVariable, type ChildProcessOptions, type Environment, type PreSpawnContext } from "./options.ts";
import { invalidOptions, isObject } from "../primitives/invalid-options.ts";
import { given } from "../primitives/given.ts";

/**
 * Asks for the last variables, then starts the child. Throws `UNSUPPORTED` on a platform without processes, `ABORTED` when the signal
 * fires before the spawn; what fires later is its caller's part.
 */
export async function spawnChild(
  platform: Platform,
  options: ChildProcessOptions,
  context: PreSpawnContext,
): Promise<Process> {
  const processes = requireProcesses(platform, context.id);
  const { preSpawn = {} } = options;
  // Waits only for who may have to be waited for: the child works while the kernel sets its deadlines.
  const last = typeof preSpawn === "function" ? await askFor(preSpawn, context) : preSpawn;
  const env = { ...options.env, ...requireEnvironment(last, context.id) };
  if (context.signal?.aborted === true) throw givenUp(context);
  return processes.spawn(options.command, options.args ?? [], {
    env,
    ...given({ cwd: folderOf(options.cwd, platform) }),
  });
}

function folderOf(cwd: string | URL | undefined, { files }: Platform): URL | undefined {
  if (typeof cwd !== "string") return cwd;
  // As load() takes it.
  if (cwd.startsWith("file:") && URL.canParse(cwd)) return new URL(cwd);
  if (files !== undefined) return files.resolve(cwd);
  throw invalidOptions(`No path can be resolved here: ${cwd}`, "give `cwd` as a file: URL");
}

function requireProcesses(platform: Platform, id: string): Processes {
  if (platform.processes !== undefined) return platform.processes;
  const reason = platform.reasons["processes"] ?? `The platform ${platform.name} starts no processes`;
  throw new KeelsonError(
    "UNSUPPORTED",
    `${id} needs a child process, which is not to be had here. ${reason}`,
    {
      hint: "allow the host to start processes, or run on a platform that can",
      details: { feature: "processes", platform: platform.name },
    },
  );
}

async function askFor(
  preSpawn: Exclude<ChildProcessOptions["preSpawn"], Environment | undefined>,
  context: PreSpawnContext,
): Promise<Environment> {
  const { id, signal } = context;
  const abandoned = new Deferred<never>();
  const abandon = (): void => abandoned.reject(givenUp(context));
  signal?.addEventListener("abort", abandon);
  try {
    return await Promise.race([preSpawn(context), abandoned.promise]);
  } catch (error) {
    throw asKeelsonError(error, "MODULE_FAILED", `The preSpawn function of ${id} failed`, {
      hint: "the cause is what it threw; the child was not started",
    });
  } finally {
    signal?.removeEventListener("abort", abandon);
  }
}

/** What a function of the host's gave may be anything. */
function requireEnvironment(given: unknown, id: string): Environment {
  const variables = isObject(given) ? Object.entries(given) : undefined;
  if (variables?.every(([name, value]) => isVariable(name, value)) === true) return given as Environment;
  throw invalidOptions(
    `The preSpawn of ${id} gives no environment`,
    "give an object of names and texts, neither with NUL, no name with =",
    { option: "preSpawn" },
  );
}

function givenUp({ id, signal }: PreSpawnContext): KeelsonError {
  return asKeelsonError(signal?.reason, "ABORTED", `The start of ${id} was given up`);
}
