import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type BodyFate, discardBody } from "./body.ts";

/** A request, as far as Press looks at it. */
export interface PressRequest {
  readonly method: string;
  /** As it came over the wire, still encoded, without the query. */
  readonly path: string;
  /** Whether a page of Press's own asks, or no page at all; not one of another site. */
  readonly own: boolean;
  /** What became of its body; one that was not read whole is refused. */
  readonly fate: BodyFate;
  /** Whether it asks for JSON and not for a page. */
  readonly wantsJson: boolean;
}

export interface PressResponse {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A server that listens. */
export interface Server {
  readonly url: string;
  /** Takes no new request, lets those under way end, for 5 seconds at most, and closes all connections. */
  close(): Promise<void>;
}

/** Listens on 127.0.0.1 alone, on a free port if `port` is 0. `answer` must not reject. */
export async function openServer(
  answer: (request: PressRequest) => Promise<PressResponse>,
  port: number,
): Promise<Server> {
  const connections = new Set<Socket>();
  const underWay = new Set<Promise<void>>();
  let closing = false;
  const server = createServer((request, response) => {
    const work = reply(request, response, answer, () => closing).finally(() => underWay.delete(work));
    underWay.add(work);
  });
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("the server listens on no port");
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    closing = true;
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    await within(5_000, Promise.allSettled(underWay));
    // Browsers keep connections open that nothing is asked on any more.
    for (const socket of connections) socket.destroy();
    server.closeAllConnections();
    await ended;
  };
  return { url: `http://127.0.0.1:${address.port}`, close: () => (closed ??= close()) };
}

async function reply(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (request: PressRequest) => Promise<PressResponse>,
  closing: () => boolean,
): Promise<void> {
  // Also when the reader goes away half-way, which may be before there is an answer.
  const closed = new Promise<void>((resolve) => void response.on("close", resolve));
  const fate = await discardBody(request);
  const { status, body, headers } = await answer({
    method: request.method ?? "GET",
    path: (request.url ?? "/").split("?", 1)[0] ?? "/",
    own: isOwn(request),
    fate,
    wantsJson: request.headers.accept === "application/json",
  });
  const bytes = Buffer.from(body);
  response.writeHead(status, {
    ...headers,
    "content-length": bytes.length,
    // What is left of a body that is refused is not read.
    ...(closing() || fate !== "read" ? { connection: "close" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : bytes);
  await closed;
}

/** By what browsers say of where a request comes from, which a page cannot change. Programs that are no browsers say nothing. */
function isOwn({ headers: { host, origin, "sec-fetch-site": site } }: IncomingMessage): boolean {
  if (site !== undefined && site !== "same-origin" && site !== "none") return false;
  // A name of another site may be made to lead to this machine.
  if (!/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host ?? "")) return false;
  return origin === undefined || origin === `http://${host}`;
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work, late]);
  clearTimeout(timer);
}
