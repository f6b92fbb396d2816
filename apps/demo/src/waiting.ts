import type { Kernel } from "keelson";

/**
 * Waits until a module takes calls, for `ms` at most; false when it does not by then, or when nobody will start it any more.
 * @param after a generation that does not count: only later ones do
 */
export function whenRunning(kernel: Kernel, id: string, ms: number, after = 0): Promise<boolean> {
  const look = (): boolean | undefined => {
    const status = kernel.list().find(({ metadata }) => metadata.id === id);
    if (status === undefined || status.supervisor?.gaveUp === true) return false;
    return status.state === "running" && status.generation > after ? true : undefined;
  };
  const now = look();
  if (now !== undefined) return Promise.resolve(now);
  return new Promise((resolve) => {
    const end = (answer: boolean): void => {
      listening[Symbol.dispose]();
      timer[Symbol.dispose]();
      resolve(answer);
    };
    const listening = kernel.bus.on("*.*", ({ data }) => {
      if ((data as { readonly id?: unknown } | undefined)?.id !== id) return;
      const answer = look();
      if (answer !== undefined) end(answer);
    });
    const timer = kernel.platform.clock.after(ms, () => end(look() ?? false));
  });
}
