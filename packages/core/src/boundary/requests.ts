import { KeelsonError, toWireError } from "../contract/errors.ts";
import type { MaybePromise, Value } from "../contract/value.ts";
import { decodeValue, encodeValue } from "./wire-value.ts";
import type { LineWriter } from "./writer.ts";

/** What comes with a child's request: what is left of its time, and what fires when the child no longer waits. */
interface RequestOptions {
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

type Answer<Options> = (
  module: string | undefined,
  method: string,
  payload: Value,
  options: Options,
) => MaybePromise<Value>;

/** Answers a child's request from its parts. */
export type RequestAnswer = Answer<RequestOptions>;

/**
 * Answers a child's requests in the host's name, or refuses them by throwing, such as a `DENIED`. `module` is undefined when the child asks the host itself; `next` does what
 * is done without a handler: it calls the module that the child names, or throws `UNKNOWN_METHOD` when it names none.
 */
export type RequestHandler = Answer<RequestOptions & { next(): MaybePromise<Value> }>;

/** The requests of one child to the host that are being answered. */
export class ChildRequests {
  readonly #writer: LineWriter;
  readonly #handler: RequestAnswer;
  readonly #maxPending: number;
  readonly #running = new Map<string, AbortController>();

  constructor(writer: LineWriter, handler: RequestAnswer, maxPending: number) {
    this.#writer = writer;
    this.#handler = handler;
    this.#maxPending = maxPending;
  }

  /** Begins to answer. What is wrong with the request is told to the child, and thrown if it cannot be told. */
  take(request: Readonly<Record<string, unknown>>, marked: boolean): void {
    const id = request["request_id"];
    if (typeof id !== "string") throw wrongField("request_id", "a string");
    try {
      this.#begin(id, request, marked);
    } catch (error) {
      this.#reply(id, errorPart(error));
    }
  }

  /** The child no longer waits for the answer. What works on it counts until it has ended, or a child could have any number of them. */
  cancel(id: unknown): void {
    if (typeof id !== "string") throw wrongField("cancel_id", "a string");
    this.#running.get(id)?.abort(new KeelsonError("ABORTED", "The child no longer waits for the answer"));
  }

  /** Aborts all that run; their answers go nowhere. */
  close(error: KeelsonError): void {
    for (const controller of this.#running.values()) controller.abort(error);
    this.#running.clear();
  }

  #begin(id: string, request: Readonly<Record<string, unknown>>, marked: boolean): void {
    const { method, module, timeout_ms: timeoutMs } = request;
    if (typeof method !== "string") throw wrongField("method", "a string");
    if (module !== undefined && typeof module !== "string") throw wrongField("module", "a string");
    if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs > 0)) {
      throw wrongField("timeout_ms", "a positive number");
    }
    if (this.#running.has(id)) {
      throw new KeelsonError("INVALID_SCHEMA", `A request with the id ${id} is being answered already`, {
        hint: "give each request an id of its own",
      });
    }
    if (this.#running.size >= this.#maxPending) {
      throw new KeelsonError("QUEUE_FULL", `${this.#running.size} requests are being answered already`);
    }
    const payload = marked ? decodeValue(request["payload"]) : (request["payload"] as Value);
    const controller = new AbortController();
    this.#running.set(id, controller);
    const options = { signal: controller.signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    this.#answer(module, method, payload, options).then(
      (part) => {
        if (this.#running.get(id) !== controller) return;
        this.#running.delete(id);
        if (!controller.signal.aborted) this.#reply(id, part);
      },
      () => {},
    );
  }

  /** Never rejects. */
  async #answer(...request: Parameters<RequestAnswer>): Promise<string> {
    try {
      const result = encodeValue(await this.#handler(...request));
      return `"result":${result ?? "null"}`;
    } catch (error) {
      return errorPart(error);
    }
  }

  #reply(id: string, part: string): void {
    const head = `{"reply_id":${JSON.stringify(id)},`;
    if (this.#writer.write(`${head}${part}}\n`)) return;
    // An answer too large for the queue is worth a word at least; if not even that fits, the child is not reading.
    this.#writer.write(
      `${head}${errorPart(new KeelsonError("QUEUE_FULL", "The answer does not fit the queue"))}}\n`,
    );
  }
}

function errorPart(thrown: unknown): string {
  const { code, message, details } = toWireError(thrown);
  let encoded: string | undefined;
  try {
    encoded = encodeValue(details as Value);
  } catch {
    // Details may hold anything; the error itself matters more.
  }
  const tail = encoded === undefined ? "" : `,"details":${encoded}`;
  return `"error":{"code":${JSON.stringify(code)},"message":${JSON.stringify(message)}${tail}}`;
}

function wrongField(name: string, wanted: string): KeelsonError {
  return new KeelsonError("INVALID_FIELD_TYPE", `The field ${name} of a request must be ${wanted}`, {
    details: { field: name },
  });
}
