import {
  KeelsonError,
  nativeModule,
  type Call,
  type Instance,
  type Kernel,
  type PoolOptions,
  type Value,
  type WasmModule,
} from "@keelson/core";
import { ensure, ensureCode, ensureEqual, type Check, type CheckContext } from "../check.ts";
import type { Subject } from "../subject.ts";
import { never, openKernel } from "./kernel-setup.ts";

/** An instance that does what the call's method says, and keeps count. */
class Guest implements Instance {
  readonly number: number;
  dead = false;
  disposed = 0;
  inside = 0;
  readonly memoryBytes = 65_536;
  readonly #kernel: () => Kernel;

  constructor(number: number, kernel: () => Kernel) {
    this.number = number;
    this.#kernel = kernel;
  }

  call(call: Call): Value | Promise<Value> {
    if (this.disposed > 0 || this.dead)
      throw new Error(`the instance ${this.number} was called after its end`);
    switch (call.method) {
      case "number":
        return this.number;
      case "trap":
        this.dead = true;
        throw new KeelsonError("WASM_TRAP", "trapped on purpose");
      case "fail":
        throw new Error("failed on purpose");
      case "self":
        return call.invoke(call.module, "number");
      case "hang":
        return never();
      case "wait":
        return new Promise((_, reject) =>
          call.signal.addEventListener("abort", () => reject(call.signal.reason as Error)),
        );
      default:
        return this.#slowly();
    }
  }

  async #slowly(): Promise<Value> {
    const most = ++this.inside;
    await new Promise<void>((resolve) => void this.#kernel().platform.clock.after(1, resolve));
    this.inside--;
    return most;
  }

  [Symbol.dispose](): void {
    this.disposed++;
  }
}

interface Scene {
  readonly kernel: Kernel;
  readonly guests: Guest[];
  /** Calls of prepare() so far. */
  prepared(): number;
}

/** A kernel with the module "m" over a pool of guests. */
async function openPooled(
  subject: Subject,
  context: CheckContext,
  options: PoolOptions,
  fails: (number: number) => boolean = () => false,
): Promise<Scene> {
  const kernel = await openKernel(subject, context);
  const guests: Guest[] = [];
  let prepared = 0;
  const source: WasmModule = {
    async prepare() {
      prepared++;
    },
    instantiate() {
      ensure(prepared > 0, "an instance was made before prepare()");
      if (fails(guests.length + 1)) throw new Error("no instance");
      const guest = new Guest(guests.length + 1, () => kernel);
      guests.push(guest);
      return guest;
    },
  };
  await kernel.register(nativeModule({ id: "m", create: () => subject.pooled(source, options) }));
  return { kernel, guests, prepared: () => prepared };
}

/** Checks of modules whose calls are answered by a pool of instances. */
export const pooledChecks: readonly Check[] = [
  {
    id: "pooled.one-call-at-a-time",
    title: "an instance is inside one call at a time, and never more than max of them are made",
    async run(subject, context) {
      const { kernel, guests } = await openPooled(subject, context, { max: 3 });
      await kernel.start("m");
      const most = await Promise.all(Array.from({ length: 30 }, () => kernel.invoke("m", "slow")));
      ensureEqual(
        most,
        most.map(() => 1),
        "calls inside an instance",
      );
      ensureEqual(guests.length, 3, "instances made");
    },
  },
  {
    id: "pooled.trap-discards",
    title:
      "an instance that died in a call is disposed once and never called again; one that only failed is kept",
    async run(subject, context) {
      const { kernel, guests } = await openPooled(subject, context, { max: 1 });
      await kernel.start("m");
      await ensureCode(kernel.invoke("m", "fail"), "CALL_FAILED", "a call that fails");
      ensureEqual(await kernel.invoke("m", "number"), 1, "the instance after a failure");
      await ensureCode(kernel.invoke("m", "trap"), "WASM_TRAP", "a call that traps");
      ensureEqual(await kernel.invoke("m", "number"), 2, "the instance after a trap");
      ensureEqual(
        guests.map(({ disposed }) => disposed),
        [1, 0],
        "how often they were disposed",
      );
    },
  },
  {
    id: "pooled.warm",
    title:
      "start prepares once and makes min instances; when one cannot be made the start fails, and none is left",
    async run(subject, context) {
      const { kernel, guests, prepared } = await openPooled(subject, context, { min: 2, max: 4 });
      await kernel.start("m");
      ensureEqual([prepared(), guests.length], [1, 2], "calls of prepare() and instances after the start");
      await kernel.stop("m");
      await kernel.start("m");
      ensureEqual(
        [prepared(), guests.length],
        [2, 4],
        "calls of prepare() and instances after the second start",
      );
      const broken = await openPooled(subject, context, { min: 3, max: 4 }, (number) => number === 3);
      await ensureCode(broken.kernel.start("m"), "MODULE_FAILED", "a start without its third instance");
      ensureEqual(
        broken.guests.map(({ disposed }) => disposed),
        broken.guests.map(() => 1),
        "how often they were disposed",
      );
    },
  },
  {
    id: "pooled.stop-disposes",
    title: "a stop disposes every instance once, those in use too, and ends their calls",
    async run(subject, context) {
      const { kernel, guests } = await openPooled(subject, context, { min: 3, max: 3, drainMs: 20 });
      await kernel.start("m");
      const hung = ensureCode(kernel.invoke("m", "hang"), "ABORTED", "a call in flight");
      await kernel.stop("m");
      await hung;
      ensureEqual(
        guests.map(({ disposed }) => disposed),
        [1, 1, 1],
        "how often they were disposed",
      );
    },
  },
  {
    id: "pooled.relieves",
    title: "a host that is short of memory has idle instances ended, and no call",
    async run(subject, context) {
      const { kernel, guests } = await openPooled(subject, context, { min: 2, max: 3, drainMs: 20 });
      await kernel.start("m");
      await Promise.all([1, 2, 3].map(() => kernel.invoke("m", "slow")));
      const held = ensureCode(kernel.invoke("m", "hang"), "ABORTED", "a call in flight");
      ensureEqual(kernel.relieve("m", 1), { instances: 1, bytes: 65_536 }, "what was given back of one byte");
      ensureEqual(
        kernel.relieve(),
        { instances: 1, bytes: 65_536 },
        "what was given back of all that is idle",
      );
      ensureEqual(guests.filter(({ disposed }) => disposed === 1).length, 2, "instances disposed");
      const number = Number(await kernel.invoke("m", "number"));
      ensure(number > 3, "no instance was made anew to keep min");
      await kernel.stop("m");
      await held;
    },
  },
  {
    id: "pooled.at-once",
    title: "a call that finds an instance free and an answer at once makes no promise",
    async run(subject, context) {
      const { kernel } = await openPooled(subject, context, { max: 1 });
      await kernel.start("m");
      ensureEqual(kernel.invokeSync("m", "number"), 1, "the answer");
      ensureEqual(kernel.invokeSync("m", "number"), 1, "the second answer");
    },
  },
  {
    id: "pooled.waits-to-deadline",
    title: "a call that finds none free waits no longer than its deadline or its caller's signal",
    async run(subject, context) {
      const { kernel } = await openPooled(subject, context, { max: 1 });
      await kernel.start("m");
      const holder = new AbortController();
      const held = ensureCode(
        kernel.invoke("m", "wait", null, { signal: holder.signal }),
        "ABORTED",
        "the call that holds the instance",
      );
      try {
        await ensureCode(
          kernel.invoke("m", "number", null, { timeoutMs: 20 }),
          "DEADLINE_EXCEEDED",
          "a call of 20 ms",
        );
        const controller = new AbortController();
        const aborted = ensureCode(
          kernel.invoke("m", "number", null, { signal: controller.signal }),
          "ABORTED",
          "an aborted call",
        );
        controller.abort();
        await aborted;
      } finally {
        // Whatever came of it: a shutdown would wait for the call that holds the instance.
        holder.abort();
      }
      await held;
    },
  },
  {
    id: "pooled.call-cycle",
    title: "a call that would wait for an instance its own chain holds is CALL_CYCLE, not a wait for ever",
    async run(subject, context) {
      const { kernel } = await openPooled(subject, context, { max: 1 });
      await kernel.start("m");
      await ensureCode(kernel.invoke("m", "self"), "CALL_CYCLE", "a call of the module by itself");
      ensureEqual(await kernel.invoke("m", "number"), 1, "the instance afterwards");
    },
  },
  {
    id: "pooled.error-first",
    title:
      "the caller of a call that ended its instance has the error before another instance is made, and min are made again unasked",
    async run(subject, context) {
      const { clock } = subject.platform();
      const { kernel, guests } = await openPooled(subject, context, { min: 1, max: 1 });
      await kernel.start("m");
      let made: number | undefined;
      await ensureCode(
        kernel.invoke("m", "trap").catch((error: unknown) => {
          made = guests.length;
          throw error;
        }),
        "WASM_TRAP",
        "a call that traps",
      );
      ensureEqual(made, 1, "instances made by the time the caller has the error");
      while (guests.length < 2 && !context.signal.aborted)
        await new Promise<void>((resolve) => clock.after(1, resolve));
      ensureEqual(kernel.invokeSync("m", "number"), 2, "the instance afterwards");
      ensureEqual(guests.length, 2, "instances made");
    },
  },
];
