import { processModule, type ProcessModuleOptions } from "../../src/boundary/index.ts";
import type { Call } from "../../src/contract/call.ts";
import type { KeelsonError } from "../../src/contract/errors.ts";
import type { Exit, Health, Module, ModuleContext } from "../../src/contract/module.ts";
import type { Value } from "../../src/contract/value.ts";
import { createMetrics } from "../../src/metrics/index.ts";
import { UndoScope } from "../../src/primitives/scope.ts";
import {
  createFakeProcesses,
  createTestPlatform,
  type FakeProcess,
  type FakeProcesses,
  type FakeScript,
  settle,
  type TestPlatform,
} from "../../src/testing/index.ts";

/** A first event as a child prints it. */
export const ready = {
  event_id: "1",
  source: "module",
  timestamp_ms: 1,
  module: "child",
  event_type: "ready",
  payload: { pid: 1 },
} as const;

/** A call that counts how often its signal was made. */
export class TestCall implements Call {
  readonly module = "child";
  readonly parent = undefined;
  readonly measurement = undefined;
  readonly method: string;
  readonly payload: Value;
  readonly deadline: number;
  signalsMade = 0;
  #controller: AbortController | undefined;
  #aborted: unknown;

  constructor(method: string, payload?: Value, deadline = Infinity) {
    this.method = method;
    this.payload = payload;
    this.deadline = deadline;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.signalsMade++;
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }

  abort(reason: KeelsonError): void {
    this.#aborted = reason;
    this.#controller?.abort(reason);
  }

  invoke(): never {
    throw new Error("not here");
  }

  invokeSync(): never {
    throw new Error("not here");
  }
}

/** A process module in its first life, without a kernel. */
export interface Scene {
  readonly platform: TestPlatform;
  readonly processes: FakeProcesses;
  readonly module: Required<Pick<Module, "start" | "stop" | "call" | "health">>;
  readonly context: ModuleContext;
  readonly scope: UndoScope;
  readonly published: { topic: string; data: Value }[];
  readonly exits: Exit[];
  /** Ends the generation. */
  readonly abort: (reason?: unknown) => void;
  /** Starts it, with a child that says it is ready. */
  readonly running: () => Promise<FakeProcess>;
  readonly call: (method: string, payload?: Value, deadline?: number) => Promise<Value>;
  readonly health: () => Promise<Health>;
  readonly text: () => string;
  invoke: ModuleContext["invoke"];
}

/** A {@link Scene} whose children do what `script` says. */
export function scene(options: Partial<ProcessModuleOptions> = {}, script?: FakeScript): Scene {
  const processes = createFakeProcesses(script);
  const platform = createTestPlatform({ processes });
  const definition = processModule({ id: "child", command: "child", ...options });
  const module = definition.create() as Scene["module"];
  const scope = new UndoScope(() => {});
  const published: Scene["published"] = [];
  const exits: Exit[] = [];
  const generation = new AbortController();
  const context: ModuleContext = {
    id: "child",
    generation: 1,
    signal: generation.signal,
    scope,
    clock: platform.clock,
    random: platform.random,
    log: platform.log,
    metrics: createMetrics(),
    bus: {
      publish: (topic: string, data: Value) => void published.push({ topic, data }),
    } as ModuleContext["bus"],
    hooks: undefined as never,
    platform,
    invoke: (...args) => self.invoke(...args),
    exited: (exit) => void exits.push(exit),
  };
  const self: Scene = {
    platform,
    processes,
    module,
    context,
    scope,
    published,
    exits,
    abort: (reason) => generation.abort(reason),
    async running() {
      const started = module.start(context) as Promise<void>;
      await settle();
      processes.last.say(ready);
      await started;
      return processes.last;
    },
    call: async (method, payload, deadline) => module.call(new TestCall(method, payload, deadline)),
    health: async () => module.health(new TestCall("health")),
    text: () => platform.log.records.map(({ message }) => message).join("\n"),
    invoke: () => Promise.reject(new Error("nobody there")),
  };
  return self;
}

/** A running child that has called a method, which answers by `answer`, by default never; and the signal of that call. */
export async function calling(
  self: Scene,
  answer: Promise<Value> = new Promise(() => {}),
): Promise<{ readonly child: FakeProcess; readonly signal: AbortSignal }> {
  const given = Promise.withResolvers<AbortSignal>();
  self.invoke = (_id, _method, _payload, options) => {
    given.resolve(options?.signal as AbortSignal);
    return answer;
  };
  const child = await self.running();
  child.say({ request_id: "a", module: "m", method: "x" });
  return { child, signal: await given.promise };
}

/** A child that answers each request by what `answer` returns; it prints {@link ready} first. */
export function answering(answer: (method: string, payload: unknown) => unknown): FakeScript {
  return (child) => {
    child.say(ready);
    child.onLine = (line) => {
      const { request_id, method, payload } = JSON.parse(line) as Record<string, unknown>;
      if (request_id !== undefined)
        child.say({ reply_id: request_id, result: answer(method as string, payload) });
    };
  };
}
