import type { IncomingMessage } from "node:http";

/** A body up to this long is let pass, bytes. No address of Press has a use for one. */
export const MAX_BODY_BYTES: number = 64 * 1024;

/** What is read of a longer one before it is refused, so that its sender sees the answer instead of a reset. */
const DRAIN_BYTES = 4 * 2 ** 20;
const DRAIN_MS = 1_000;

/** What became of a request's body: it was read, or it has no end that Press would wait for. */
export type BodyFate = "read" | "too large" | "too slow";

/** Reads a request's body, keeps nothing of it, and says what became of it; of a long one it reads a part. */
export function discardBody(request: IncomingMessage): BodyFate | Promise<BodyFate> {
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  if (encoding === undefined && (length === undefined || length === "0")) return "read";
  return new Promise((resolve) => {
    let bytes = 0;
    const end = (): void => {
      clearTimeout(timer);
      request.off("data", count);
      request.pause();
      // What was announced counts as well: most of it may still be on its way.
      if (bytes > MAX_BODY_BYTES || Number(length) > MAX_BODY_BYTES) resolve("too large");
      else resolve(request.complete ? "read" : "too slow");
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
