import { usageOf, type Bytes, type Kernel, type KeelsonError, type Usage } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, type Check, type CheckContext } from "../check.ts";
import type { Subject } from "../subject.ts";
import { openKernel } from "./kernel-setup.ts";
import { body, functions, I32, MAGIC, name, section, type } from "./wasm-bytes.ts";
import { restless, startWasm, wasmModuleOf } from "./wasm-setup.ts";

const requires = ["wasm", "wasmModule"] as const;
const PAGE = 65_536;

/** Three functions that return at once; one has nothing behind that, one 8 KiB of code and one twice as much. */
const idle: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([], [])]),
  ...section(3, [[0], [0], [0]]),
  ...section(7, functions(0, "small", "large", "larger")),
  ...section(
    10,
    [0, 1, 2].map((size) => body(0x0f, ...Array.from({ length: size * 8_192 }, () => 0x01))),
  ),
]);

/** What the guest below says: that it failed, and that it used nothing. */
const LIE = `{"message":"no","a":1,"usage":{"fuel":0,"cpuMs":0,"memoryPeakBytes":0},"record":{}}`;

/** A module of the profile keelson that answers everything with an error of its own. The record of the answer lies at 0, its JSON at 16. */
const liar: Bytes = Uint8Array.from([
  ...MAGIC,
  ...section(1, [type([I32], [I32]), type([I32, I32], []), type([I32, I32, I32, I32, I32], [I32])]),
  ...section(3, [[0], [1], [2]]),
  ...section(5, [[0x00, 1]]),
  ...section(7, [
    [...name("memory"), 0x02, 0],
    ...functions(0, "keelson_alloc", "keelson_free", "keelson_call"),
  ]),
  ...section(10, [body(0x41, 0x80, 0x02), body(), body(0x41, 0)]),
  ...section(11, [
    [
      ...[0x00, 0x41, 0x00, 0x0b, 16 + LIE.length],
      ...[1, 0, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0, LIE.length, 0, 0, 0],
      ...new TextEncoder().encode(LIE),
    ],
  ]),
]);

/** A kernel with a restless guest that is stopped after 20 ms. @param initialMs how long its first quarantine lasts */
async function openRestless(subject: Subject, context: CheckContext, initialMs = 50): Promise<Kernel> {
  const kernel = await openKernel(subject, context, { quarantine: { initialMs } });
  const wasmModule = wasmModuleOf(subject);
  for (const id of ["guest", "other"])
    await kernel.register(wasmModule({ id, source: restless, abi: "raw", limits: { cpuMs: 20 } }));
  await kernel.start();
  return kernel;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "answered",
    (error: KeelsonError) => error.code,
  );
}

/** Checks of what measure() tells of a call. */
export const measureChecks: readonly Check[] = [
  {
    id: "measure.usage",
    title:
      "measure() tells fuel, the same for the same work, and the memory a guest takes, also when the call fails",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context);
      const used: Usage[] = [];
      for (let time = 0; time < 2; time++) {
        const { value, usage } = await kernel.measure("guest", "add", [2, 40]);
        ensureEqual(value, 42, "2 + 40");
        ensure(usage !== undefined, "a guest's call was not measured");
        used.push(usage);
      }
      ensure((used[0]?.fuel ?? 0) > 0, "no fuel was counted");
      ensureEqual(used[1]?.fuel, used[0]?.fuel, "fuel of the same call");
      ensureEqual(used[0]?.memoryPeakBytes, PAGE, "memory of a guest of one page");
      const grown = await kernel.measure("guest", "grow", [2]);
      ensureEqual(grown.usage?.memoryPeakBytes, 3 * PAGE, "memory after growing by two pages");
      const trap = await ensureCode(kernel.measure("guest", "boom", []), "WASM_TRAP", "a trap");
      ensureEqual(usageOf(trap)?.memoryPeakBytes, 3 * PAGE, "memory told by the error of a trap");
    },
  },
  {
    id: "measure.trap-bounds",
    title:
      "after a trap usage says the least and the most fuel the guest can have used; after an answer it is one figure",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context);
      const answered = await kernel.measure("guest", "add", [2, 40]);
      ensureEqual(answered.usage?.fuelAtMost, undefined, "fuelAtMost after an answer");
      const trap = await ensureCode(kernel.invoke("guest", "boom", []), "WASM_TRAP", "a trap");
      const usage = usageOf(trap);
      ensure(usage?.fuelAtMost !== undefined, "a trap does not say how much the guest can have used");
      ensure(usage.fuelAtMost >= usage.fuel, `at most ${usage.fuelAtMost} units, at least ${usage.fuel}`);
    },
  },
  {
    id: "measure.record-fresh",
    title:
      "a call is recorded on an instance never used before, and the record comes with the answer or the error",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context);
      for (const expected of [1, 2])
        ensureEqual(await kernel.invoke("guest", "count", []), expected, "calls counted");
      const { value, record } = await kernel.measure("guest", "count", [], { record: true });
      ensureEqual(value, 1, "calls counted by the instance that was recorded");
      ensure(record !== undefined, "there is no record");
      const recorded = kernel.measure("guest", "boom", [], { record: true });
      const trap = await ensureCode(recorded, "WASM_TRAP", "a trap");
      ensure(trap.details?.["record"] !== undefined, "the error of a trap has no record");
      ensureEqual(await kernel.invoke("guest", "count", []), 3, "calls counted by the pool's instance");
    },
  },
  {
    id: "measure.own-words",
    title:
      "a guest's own error brings its facts along, but cannot tell what the call used or what was recorded",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context, { source: liar, abi: "keelson" });
      const plain = await ensureCode(kernel.invoke("guest", "any"), "GUEST_ERROR", "the guest's error");
      ensureEqual(plain.details?.["a"], 1, "a fact of its own");
      ensureEqual(usageOf(plain), undefined, "usage of a call that was not measured");
      ensureEqual(plain.details?.["record"], undefined, "the record of a call that was not recorded");
      const measured = await ensureCode(kernel.measure("guest", "any"), "GUEST_ERROR", "the same, measured");
      ensure((usageOf(measured)?.fuel ?? 0) > 0, "the guest told that it used nothing, and was believed");
      ensureEqual(measured.details?.["record"], undefined, "the record of a call that was not recorded");
    },
  },
  {
    id: "measure.first-call",
    title:
      "what an engine does for a large function at its first call is paid for by that call, however little of it runs",
    requires,
    async run(subject, context) {
      const kernel = await startWasm(subject, context, { source: idle });
      const fuel = async (method: string): Promise<number> =>
        (await kernel.measure("guest", method, [])).usage?.fuel ?? 0;
      const small = await fuel("small");
      const large = await fuel("large");
      const larger = await fuel("larger");
      ensure(large > 10 * small, `a call took ${small} units, and ${large} of a large function`);
      const grown = larger - large > 0.5 * large;
      ensure(grown, `a function twice as large took ${larger} units, and half of it ${large}`);
      ensureEqual([await fuel("large"), await fuel("larger")], [small, small], "the second calls");
    },
  },
  {
    id: "quarantine.refuses",
    title:
      "a module stopped three times is refused at once, its neighbour is not, and calls in flight burn no more than that",
    requires,
    async run(subject, context) {
      const kernel = await openRestless(subject, context);
      const calls = Array.from({ length: 32 }, () => codeOf(kernel.invoke("guest", "spin", [])));
      const codes = await Promise.all(calls);
      ensureEqual(codes.filter((code) => code === "DEADLINE_EXCEEDED").length, 3, "calls that were stopped");
      ensureEqual(
        codes.filter((code) => code === "MODULE_QUARANTINED").length,
        29,
        "calls that were refused",
      );
      ensure(kernel.list()[0]?.quarantine !== undefined, "the list does not tell of the quarantine");
      ensureEqual(await kernel.invoke("other", "fine", []), 42, "a call of another module");
    },
  },
  {
    id: "quarantine.one-trial",
    title: "when its time is over one call decides: a stop doubles the quarantine, an answer ends it",
    requires,
    async run(subject, context) {
      const kernel = await openRestless(subject, context);
      const over = (): Promise<void> => quarantineEnds(subject, kernel);
      for (let time = 0; time < 3; time++) await codeOf(kernel.invoke("guest", "spin", []));
      ensureEqual(kernel.list()[0]?.quarantine?.lastsMs, 50, "the first quarantine, ms");
      await over();
      ensureEqual(await codeOf(kernel.invoke("guest", "spin", [])), "DEADLINE_EXCEEDED", "the trial");
      ensureEqual(kernel.list()[0]?.quarantine?.lastsMs, 100, "the second quarantine, ms");
      ensureEqual(await codeOf(kernel.invoke("guest", "fine", [])), "MODULE_QUARANTINED", "a call after it");
      await over();
      ensureEqual(await kernel.invoke("guest", "fine", []), 42, "the next trial");
      ensureEqual(await kernel.invoke("guest", "fine", []), 42, "a call after that");
    },
  },
  {
    id: "quarantine.hooks",
    title: "a filter that a quarantine refuses is skipped, not cut off: it is back when its module is",
    requires,
    async run(subject, context) {
      // Long enough that a busy machine does not come to its end before the pages meanwhile are made.
      const kernel = await openRestless(subject, context, 400);
      kernel.hooks.filter("page", () => kernel.invoke("guest", "fine", []));
      for (let time = 0; time < 3; time++) await codeOf(kernel.invoke("guest", "spin", []));
      for (let time = 0; time < 10; time++)
        ensureEqual(await kernel.hooks.applyFilters("page", "as it was"), "as it was", "a page meanwhile");
      await quarantineEnds(subject, kernel);
      ensureEqual(await kernel.hooks.applyFilters("page", "as it was"), 42, "a page afterwards");
    },
  },
];

/** Waits until the first module's quarantine lets a call in on trial. */
function quarantineEnds(subject: Subject, kernel: Kernel): Promise<void> {
  const { clock } = subject.platform();
  const { trialInMs = 0 } = kernel.list()[0]?.quarantine ?? {};
  return new Promise((resolve) => void clock.after(trialInMs + 2, resolve));
}
