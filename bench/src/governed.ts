import { createKernel, wasmModule } from "keelson";
import { Governor } from "../../packages/wasm/src/governor/index.ts";
import { meter } from "../../packages/wasm/src/meter/index.ts";
import { wat } from "../../packages/wasm/test/meter/wat.ts";
import { alternate, byThread, OURS, type Task } from "./measure.ts";

const UNGOVERNED = "the same with metering off";
const BARE = "bare export";

/** What a governed call costs above one that is not, with fuel and both times on: an export that does nothing. */
export async function benchGoverned(rounds: number): Promise<readonly Task[]> {
  const nothing = wat(`(module (func (export "nothing")))`);
  // First, before anything else has made the engine's assumptions about the governor wider.
  const alone = await governorAlone(nothing, rounds);
  await using kernel = await createKernel();
  const limits = { fuel: 1_000_000, cpuMs: 50 };
  await kernel.register(wasmModule({ id: "governed", source: nothing, limits, pool: { min: 1 } }));
  await kernel.register(wasmModule({ id: "free", source: nothing, metering: "off", pool: { min: 1 } }));
  await kernel.start();
  const invoke = (name: string, id: string) =>
    byThread({
      name,
      async run(times: number) {
        for (let n = 0; n < times; n++) await kernel.invoke(id, "nothing");
      },
    });
  return [
    await alternate(
      "no-op export, invoked with fuel and both times on",
      [invoke(UNGOVERNED, "free"), invoke(OURS, "governed")],
      { rounds, times: 10_000, warm: 8 },
      [{ against: [UNGOVERNED], kind: "adds at most", target: 300 }],
    ),
    alone,
  ];
}

/** The governor without a kernel around it. */
async function governorAlone(bytes: Uint8Array<ArrayBuffer>, rounds: number): Promise<Task> {
  const metered = meter(bytes, { mode: "exact", stackBytes: 512 * 1024, memoryBytes: 64 * 2 ** 20 });
  const guest = new WebAssembly.Instance(new WebAssembly.Module(metered.bytes));
  const clock = { now: () => performance.now() };
  const governor = new Governor({ clock });
  governor.adopt(guest, metered.meta);
  const governed = guest.exports["nothing"] as unknown as () => void;
  const bare = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports[
    "nothing"
  ] as unknown as () => void;
  const limits = { fuel: 1_000_000, cpuMs: 50, deadline: clock.now() + 1e9, measure: false };
  const run = (times: number, call: () => void): void => {
    for (let n = 0; n < times; n++) call();
  };
  const measured = { ...limits, measure: true };
  return alternate(
    "the governor alone around a no-op export",
    [
      { name: BARE, run: (times: number) => run(times, bare) },
      { name: OURS, run: (times: number) => run(times, () => governor.run(limits, governed)) },
      {
        name: "governed, its usage read",
        run: (times: number) =>
          run(times, () => {
            governor.run(measured, governed);
            void governor.usage;
          }),
      },
    ].map(byThread),
    { rounds, times: 20_000, warm: 8 },
  );
}
