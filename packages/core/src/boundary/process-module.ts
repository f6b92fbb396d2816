import { KeelsonError } from "../contract/errors.ts";
import type { Call } from "../contract/call.ts";
import type { Health, Module, ModuleContext, ModuleDefinition } from "../contract/module.ts";
import type { ProcessExit } from "../contract/platform.ts";
import type { Value } from "../contract/value.ts";
import { requireOptions } from "../primitives/invalid-options.ts";
import { Child } from "./child.ts";
import { PendingCalls } from "./calls.ts";
import { Dialogue } from "./dialogue.ts";
import { endChild, survivedError } from "./ending.ts";
import {
  checkChildOptions,
  DEFAULT_DEADLINE_MS,
  DEFAULT_GRACE_MS,
  DEFAULT_LINE_BYTES,
  processOptions,
  type ProcessModuleOptions,
} from "./options.ts";
import { ChildRequests, type RequestAnswer, type RequestHandler } from "./requests.ts";
import { spawnChild } from "./spawn.ts";
import { LineWriter } from "./writer.ts";
import { given } from "../primitives/given.ts";

const DEFAULT_HANDSHAKE_MS = 10_000;
const DEFAULT_PENDING = 10_000;
const DEFAULT_QUEUED = 16 * 2 ** 20;
/** How long a child that closed a pipe may take to turn out dead, which makes the better message, ms. */
const CUT_OFF_MS = 100;

/**
 * A module that is a child process speaking JSON lines. Its first line on standard output must be an event; then it is running. Later events
 * go to the bus as `boundary.<id>.<event_type>`, lines that are none as `boundary.<id>.error`; standard error becomes log
 * records. Calls go to the child as requests, and the child may call modules in the same way. When it ends, its whole process tree is ended with it.
 *
 * Start throws `UNSUPPORTED`, `SPAWN_FAILED`, `PERMISSION_DENIED`, `HANDSHAKE_TIMEOUT`, `EMPTY_OUTPUT`, `PROCESS_EXITED`, `MISSING_STDOUT`, `IO` or what
 * is wrong with the first line; stop throws `PROCESS_SURVIVED` with `details.orphans`. `INVALID_OPTIONS` comes at once.
 */
export function processModule(options: ProcessModuleOptions): ModuleDefinition {
  checkChildOptions(options);
  const {
    handshakeMs = DEFAULT_HANDSHAKE_MS,
    graceMs = DEFAULT_GRACE_MS,
    deadlineMs = DEFAULT_DEADLINE_MS,
  } = options;
  requireOptions("processModule", options, processOptions);
  const { id, name = id, version = "0.0.0", description, depends, manifest } = options;
  return {
    metadata: { id, name, version, kind: "process", ...given({ description }) },
    restart: { policy: "on-failure", ...given(options.restart ?? {}) },
    overlap: options.overlap ?? false,
    // The kernel's own deadlines are the net below: the handshake and the ending of the tree tell more when they time out.
    deadlines: {
      startMs: handshakeMs + 10_000,
      stopMs: graceMs + deadlineMs + 2000,
      ...given(options.deadlines ?? {}),
    },
    ...given({ depends, manifest }),
    create: () => new ProcessModule(options, handshakeMs),
  };
}

/** One life of a process module. */
class ProcessModule implements Module {
  readonly #options: ProcessModuleOptions;
  readonly #handshakeMs: number;
  #child: Child | undefined;
  #calls: PendingCalls | undefined;
  #stopping = false;
  #ending: Promise<void> | undefined;

  constructor(options: ProcessModuleOptions, handshakeMs: number) {
    this.#options = options;
    this.#handshakeMs = handshakeMs;
  }

  async start(context: ModuleContext): Promise<void> {
    const { id, generation, signal, platform, clock, log, scope } = context;
    const options = this.#options;
    const process = await spawnChild(platform, options, { id, generation, signal });
    let dialogue: Dialogue | undefined;
    let child: Child;
    try {
      child = new Child(process, {
        name: id,
        clock,
        log,
        maxLineBytes: options.maxLineBytes ?? DEFAULT_LINE_BYTES,
        onLine: (line) => dialogue?.take(line),
        onFault: (error) => dialogue?.fault(error),
      });
    } catch (error) {
      await process.terminate({ graceMs: 0 });
      throw error;
    }
    this.#child = child;
    const writer = new LineWriter(
      process,
      options.maxQueuedBytes ?? DEFAULT_QUEUED,
      (cause) => void this.#cutOff("input", cause),
    );
    const maxPending = options.maxPending ?? DEFAULT_PENDING;
    const calls = new PendingCalls(id, clock, writer, maxPending);
    const requests = new ChildRequests(writer, requestHandler(context, options.onRequest), maxPending);
    this.#calls = calls;
    // In a scope that has ended already, this runs at once.
    scope.defer(() => {
      this.#stopping = true;
      const gone = new KeelsonError("PROCESS_EXITED", `${id} was stopped`);
      calls.close(gone);
      requests.close(gone);
      writer.close();
      return this.#end(false);
    });
    // Behind that: where the generation has ended already, it throws.
    dialogue = new Dialogue(context, calls, requests);
    const first = await child.firstEvent(this.#handshakeMs, signal);
    dialogue.event(first);
    void child.output.then(() => this.#cutOff("output"));
    void child.ended.then((exit) => {
      requests.close(new KeelsonError("PROCESS_EXITED", `${id} ended`));
      writer.close();
      this.#ended(exit, context);
    });
  }

  /** Ends the process tree, and looks whether it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#end(true);
  }

  call(call: Call): Promise<Value> {
    return this.#request(call, call.method);
  }

  async health(call: Call): Promise<Health> {
    const child = this.#child;
    if (child === undefined || child.exit !== undefined)
      return { healthy: false, message: "The process has ended." };
    if (child.outputEnded) return { healthy: false, message: "The process closed its standard output." };
    if (this.#options.health !== true) return { healthy: true };
    const answer = await this.#request(call, "health");
    if (typeof answer === "boolean") return { healthy: answer };
    const { healthy, message } = (answer ?? {}) as { healthy?: unknown; message?: unknown };
    return { healthy: healthy === true, ...(typeof message === "string" ? { message } : {}) };
  }

  #request(call: Call, method: string): Promise<Value> {
    const calls = this.#calls;
    if (calls === undefined) {
      throw new KeelsonError("MODULE_NOT_RUNNING", `${this.#options.id} has no process yet`);
    }
    const child = this.#child as Child;
    if (child.exit !== undefined) throw child.exitError(child.exit, `before "${call.method}" was sent`);
    return calls.request(call, method);
  }

  #ended(exit: ProcessExit, context: ModuleContext): void {
    const child = this.#child as Child;
    const normal = exit.code === 0;
    const when = this.#stopping
      ? "when it was stopped"
      : normal
        ? "while calls were in flight"
        : "unexpectedly";
    const error = child.exitError(exit, when);
    this.#calls?.close(error);
    if (this.#stopping) return;
    context.exited({ reason: normal ? "normal" : "crash", error });
  }

  /** A pipe has ended: the child died, which `ended` tells in a moment, or it closed the pipe and no call can be answered. */
  async #cutOff(pipe: "input" | "output", cause?: unknown): Promise<void> {
    const child = this.#child as Child;
    await child.within(CUT_OFF_MS, child.process.exited);
    if (child.exit !== undefined || this.#stopping) return;
    this.#calls?.close(
      new KeelsonError(
        "IO",
        `${this.#options.id} closed its standard ${pipe}; it cannot be called any more`,
        {
          hint: `a child that takes calls must keep its standard ${pipe} open`,
          ...given({ cause }),
        },
      ),
    );
  }

  /** Ends the tree, once. What survived is told once, to whoever asked first. */
  #end(byStop: boolean): Promise<void> {
    const child = this.#child;
    if (child === undefined) return Promise.resolve();
    if (this.#ending !== undefined) return byStop ? this.#ending : this.#ending.catch(() => {});
    this.#ending = endChild(child, this.#options).then((orphans) => {
      if (orphans.length > 0) throw survivedError(this.#options.id, orphans);
    });
    return this.#ending;
  }
}

/** Requests that name a module go to that module on this module's behalf, the others to the host's own handler. */
function requestHandler(context: ModuleContext, own: RequestHandler | undefined): RequestAnswer {
  return (module, method, payload, options) => {
    const next = (): Promise<Value> => {
      if (module !== undefined) return context.invoke(module, method, payload, options);
      throw new KeelsonError("UNKNOWN_METHOD", `The host does not answer "${method}"`, {
        hint: "name a module in the request, or give processModule an onRequest function",
      });
    };
    if (own === undefined) return next();
    // Hidden, so that a handler may give them on as the options of a call.
    return own(
      module,
      method,
      payload,
      Object.defineProperty({ ...options }, "next", { value: next }) as Parameters<RequestHandler>[3],
    );
  };
}
