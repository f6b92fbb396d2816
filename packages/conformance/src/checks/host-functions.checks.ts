import { KeelsonError, type Bytes, type CallRecord } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, handled, type Check, type CheckContext } from "../check.ts";
import type { Subject } from "../subject.ts";
import { body, functions, I32, MAGIC, name, section, type } from "./wasm-bytes.ts";
import { openWasm, startWasm, wasmModuleOf } from "./wasm-setup.ts";

const requires = ["wasm", "wasmModule"] as const;

/** A module that calls `env.ask`, which answers an i32: often() without end, once() → i32 one time, fine() → i32 never and is 42. */
const asking: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([], [I32]), type([], [])]),
  ...section(2, [[...name("env"), ...name("ask"), 0x00, 0]]),
  ...section(3, [[1], [0], [0]]),
  ...section(7, functions(1, "often", "once", "fine")),
  ...section(10, [body(0x03, 0x40, 0x10, 0, 0x1a, 0x0c, 0, 0x0b), body(0x10, 0), body(0x41, 42)]),
]);

/** Of one call of the slow host function, ms. */
const SLOW_MS = 20;

/** Of a host function that answers something else each time: what a recorded call gives back. */
async function recorded(
  subject: Subject,
  context: CheckContext,
): Promise<{ readonly value: unknown; readonly record: CallRecord }> {
  let answer = 700;
  const imports = { env: { ask: () => ++answer } };
  const kernel = await startWasm(subject, context, { source: asking, imports });
  const { value, record } = await kernel.measure("guest", "once", [], { record: true });
  ensure(record !== undefined, "there is no record");
  return { value, record };
}

/** Checks of guests that call their host. */
export const hostFunctionChecks: readonly Check[] = [
  {
    id: "wasm.host-function-fails",
    title:
      "what a host function throws is what its call fails with: an error of Keelson as it is, any other as the cause",
    requires,
    async run(subject, context) {
      const broken = new RangeError("no such article");
      const refused = new KeelsonError("NOT_FOUND", "nothing there");
      let thrown: object = broken;
      const ask = (): number => {
        throw thrown;
      };
      const kernel = await openWasm(subject, context, { source: asking, imports: { env: { ask } } });
      await kernel.start("guest");
      const failed = await ensureCode(kernel.invoke("guest", "once", []), "CALL_FAILED", "a RangeError");
      ensure(failed.cause === broken, "the cause is not what the host function threw");
      thrown = refused;
      const passed = await ensureCode(kernel.invoke("guest", "once", []), "NOT_FOUND", "an error of Keelson");
      ensure((passed as unknown) === refused, "the error is not the one that the host function threw");
      // Whatever is asked of it throws: an instance that is lost over that is never free again.
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      thrown = proxy;
      const opaque = kernel.invoke("guest", "once", [], { timeoutMs: 2_000 });
      await ensureCode(opaque, "CALL_FAILED", "something that cannot be looked at");
      ensureEqual(await kernel.invoke("guest", "fine", []), 42, "the next call");
    },
  },
  {
    id: "wasm.host-function-aborts",
    title: "a guest whose caller gives up while it is in a host function goes no further",
    requires,
    async run(subject, context) {
      const abort = new AbortController();
      let asked = 0;
      const ask = (): number => {
        if (++asked === 3) abort.abort();
        return asked;
      };
      const kernel = await openWasm(subject, context, { source: asking, imports: { env: { ask } } });
      await kernel.start("guest");
      const { signal } = abort;
      const call = kernel.invoke("guest", "often", [], { signal, timeoutMs: 1_000 });
      await ensureCode(call, "ABORTED", "a call that was given up");
      ensureEqual(await kernel.invoke("guest", "fine", []), 42, "the next call");
      ensureEqual(asked, 3, "calls of the host until the guest was stopped");
    },
  },
  {
    id: "wasm.slow-host-function",
    title:
      "a guest that loops around a slow host function is stopped when the first one past its cpuMs returns",
    requires,
    async run(subject, context) {
      const { clock } = subject.platform();
      let asked = 0;
      const ask = (): number => {
        const until = clock.now() + SLOW_MS;
        while (clock.now() < until);
        return ++asked;
      };
      const imports = { env: { ask } };
      const kernel = await startWasm(subject, context, { source: asking, imports, limits: { cpuMs: 50 } });
      await ensureCode(
        kernel.invoke("guest", "often", [], { timeoutMs: 1_000 }),
        "DEADLINE_EXCEEDED",
        "a loop around a slow host function",
      );
      ensure(asked <= 3, `50 ms were over, and the guest went on to ask ${asked} times for ${SLOW_MS} ms`);
      ensureEqual(await kernel.invoke("guest", "fine", []), 42, "the next call");
    },
  },
  {
    id: "wasm.interrupt",
    title:
      "a flag raised in shared memory stops the guest with ABORTED, and lets none begin until it is lowered",
    requires: [...requires, "sharedMemory"],
    async run(subject, context) {
      const interrupt = new Int32Array(new SharedArrayBuffer(4));
      let asked = 0;
      const ask = (): number => {
        if (++asked === 3) Atomics.store(interrupt, 0, 1);
        return asked;
      };
      const options = { source: asking, imports: { env: { ask } }, limits: { cpuMs: 500 }, interrupt };
      const kernel = await startWasm(subject, context, options);
      await ensureCode(kernel.invoke("guest", "often", []), "ABORTED", "a guest whose flag was raised");
      ensureEqual(asked, 3, "calls of the host until the guest was stopped");
      await ensureCode(kernel.invoke("guest", "fine", []), "ABORTED", "a call while the flag is up");
      Atomics.store(interrupt, 0, 0);
      ensureEqual(await kernel.invoke("guest", "fine", []), 42, "a call afterwards");
    },
  },
  {
    id: "wasm.instances-waited-for",
    title:
      "at the cap on live instances a call waits for one of another module to end, whoever came first first",
    requires,
    async run(subject, context) {
      const limits = { instances: 1 };
      const waiting: Promise<unknown>[] = [];
      const order: string[] = [];
      const ask = (): number => {
        for (const id of ["one", "two"]) {
          const call = kernel.invoke(id, "fine", [], { timeoutMs: 10_000 });
          waiting.push(handled(call.then(() => order.push(id))));
        }
        return 7;
      };
      const kernel = await openWasm(subject, context, { source: asking, imports: { env: { ask } }, limits });
      const idle = { env: { ask: () => 0 } };
      for (const id of ["one", "two"])
        await kernel.register(
          wasmModuleOf(subject)({ id, source: asking, abi: "raw", imports: idle, limits }),
        );
      // One after the other: each makes its first instance in the only place, which the next one takes.
      for (const id of ["one", "two", "guest"]) await kernel.start(id);
      ensureEqual(await kernel.invoke("guest", "once", []), 7, "the call that held the only place");
      await Promise.all(waiting);
      ensureEqual(order, ["one", "two"], "who was served");
    },
  },
  {
    id: "measure.replay",
    title: "a recorded call runs again without its host, to the same answer after the same work",
    requires: [...requires, "replay"],
    async run(subject, context) {
      const { value, record } = await recorded(subject, context);
      const { clock } = subject.platform();
      const replay = subject.replay as NonNullable<Subject["replay"]>;
      const again = await replay(record, asking, { clock });
      ensureEqual([again.equal, again.value], [true, value], "whether it ended the same, and its answer");
      ensure(again.fuel > 0, "the fuel is not told");
    },
  },
  {
    id: "measure.replay-diverges",
    title: "a record that was changed, or of another module, is REPLAY_DIVERGED",
    requires: [...requires, "replay"],
    async run(subject, context) {
      const { record } = await recorded(subject, context);
      const { clock } = subject.platform();
      const replay = subject.replay as NonNullable<Subject["replay"]>;
      const hostCalls = (record["hostCalls"] as { readonly results: readonly number[] }[]).map((call) => ({
        ...call,
        results: [12],
      }));
      await ensureCode(
        replay({ ...record, hostCalls }, asking, { clock }),
        "REPLAY_DIVERGED",
        "another answer",
      );
      const other = Uint8Array.from(asking);
      other[other.length - 2] = 43;
      await ensureCode(replay(record, other, { clock }), "REPLAY_DIVERGED", "another module");
    },
  },
];
