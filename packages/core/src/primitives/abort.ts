/** A controller for whoever makes one only when its signal is first read: aborted at once if there is a `reason` already. */
export function controllerWith(reason: unknown): AbortController {
  const controller = new AbortController();
  if (reason !== undefined) controller.abort(reason);
  return controller;
}
