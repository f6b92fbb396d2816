/**
 * A record of the timers that Keelson's own sources have set and neither cleared nor let fire.
 * Only timers set from `packages/<name>/src` are kept: a test's own and those of libraries are not Keelson's promise.
 */
export interface TimerRecord {
  /** Where each live timer was set, one line each. */
  live(): ReadonlyMap<unknown, string>;
}

type Run = (...args: unknown[]) => void;
type SetTimer = (run: Run, delayMs?: number, ...args: unknown[]) => unknown;

const OWN_SOURCE = /^.*[/\\]((?:packages|apps)[/\\][^/\\]+[/\\]src[/\\].*)$/m;

/** The first own source file in a stack, or undefined when the timer is not Keelson's. */
function ownSource(stack: string): string | undefined {
  return OWN_SOURCE.exec(stack)?.[1]?.replace(/\)$/, "");
}

/** Replaces the global timer functions by ones that remember; the handles stay the runtime's own. */
export function recordTimers(scope: typeof globalThis = globalThis): TimerRecord {
  const live = new Map<unknown, string>();
  const globals = scope as unknown as Record<string, unknown>;

  const wrap = (name: "setTimeout" | "setInterval", repeats: boolean): void => {
    const original = globals[name] as SetTimer;
    const recording: SetTimer = (run, delayMs, ...args) => {
      const source = ownSource(new Error("set here").stack ?? "");
      if (source === undefined || typeof run !== "function") return original(run, delayMs, ...args);
      const once: Run = (...values) => {
        live.delete(handle);
        run(...values);
      };
      const handle = original(repeats ? run : once, delayMs, ...args);
      live.set(handle, `${name} at ${source}`);
      return handle;
    };
    globals[name] = Object.assign(recording, original);
  };
  const unwrap = (name: "clearTimeout" | "clearInterval"): void => {
    const original = globals[name] as (handle: unknown) => void;
    globals[name] = (handle: unknown): void => {
      live.delete(handle);
      original(handle);
    };
  };
  wrap("setTimeout", false);
  wrap("setInterval", true);
  unwrap("clearTimeout");
  unwrap("clearInterval");
  return { live: () => live };
}
