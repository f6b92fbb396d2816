import { connect } from "node:net";

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** From the request, its connection included, to the last byte of the answer, ms. */
  readonly tookMs: number;
}

/**
 * One GET over a connection of its own. Fetch would tidy the path up and keep the connection for later; here the path goes as it is, and
 * nothing is left open. Rejects when the connection fails or the answer is cut off.
 */
export function get(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return ask("GET", url, path, headers);
}

/** The same for a POST without a body, as a button sends it. */
export function post(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return ask("POST", url, path, { "content-length": "0", ...headers });
}

function ask(
  method: string,
  url: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const from = performance.now();
    let last = from;
    const socket = connect(Number(port), hostname);
    socket.setTimeout(60_000, () => socket.destroy(new Error(`no answer to ${path} within a minute`)));
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => {
      last = performance.now();
      chunks.push(chunk);
    });
    socket.on("close", () => {
      const answer = parse(Buffer.concat(chunks));
      if (answer === undefined) reject(new Error(`the answer to ${path} was cut off`));
      else resolve({ ...answer, tookMs: last - from });
    });
    const lines = Object.entries({ host: `${hostname}:${port}`, connection: "close", ...headers });
    socket.write(
      `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    );
  });
}

function parse(bytes: Buffer): Omit<Answer, "tookMs"> | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = bytes.subarray(0, end).toString().split("\r\n");
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const body = bytes.subarray(end + 4);
  if (body.length !== Number(headers.get("content-length") ?? 0)) return undefined;
  return { status: Number(first.split(" ")[1]), headers, body: body.toString() };
}
