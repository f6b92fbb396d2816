import type { IncomingMessage } from "node:http";

/** A body up to this long is let pass, bytes. No address of Press has a use for one. */
export const MAX_BODY_BYTES: number = 64 * 1024;

/** What is read of a longer one before it is refused, so that its sender sees the answer instead of a reset. */
const DRAIN_BYTES = 4 * 2 ** 20;
const DRAIN_MS = 1_000;

/** Reads a request's body, keeps nothing of it, and says whether it was short enough; of a long one it reads a part. */
export function discardBody(request: IncomingMessage): boolean | Promise<boolean> {
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  if (encoding === undefined && (length === undefined || length === "0")) return true;
  return new Promise((resolve) => {
    let bytes = 0;
    const end = (): void => {
      clearTimeout(timer);
      request.off("data", count);
      request.pause();
      resolve(request.complete && bytes <= MAX_BODY_BYTES);
    };
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > DRAIN_BYTES) end();
    };
    const timer = setTimeout(end, DRAIN_MS);
    request.on("data", count);
    for (const event of ["end", "error", "close"]) request.once(event, end);
  });
}
