import { createKernel, nativeModule } from "keelson";
import { alternate, type Contender, OURS, type Task } from "./measure.ts";

const BARE = "bare async function";

/** Calls of native modules through the kernel of the runtime at hand, with counters and durations, beside awaited calls of the same functions. */
export async function benchInvoke(rounds: number): Promise<readonly Task[]> {
  await using kernel = await createKernel();
  const noop = (): null => null;
  const later = async (): Promise<null> => null;
  await kernel.register(nativeModule({ id: "native", methods: { noop, later } }));
  await kernel.start();

  const bare = (run: (payload: unknown) => null | Promise<null>): Contender => {
    const call = async (payload: unknown): Promise<null> => run(payload);
    return {
      name: BARE,
      async run(times) {
        for (let n = 0; n < times; n++) if ((await call(n)) !== null) throw new Error("wrong");
      },
    };
  };
  const invoked = (method: string): Contender => ({
    name: OURS,
    async run(times) {
      for (let n = 0; n < times; n++)
        if ((await kernel.invoke("native", method, n)) !== null) throw new Error("wrong");
    },
  });
  const turns = { rounds, times: 10_000 };
  return [
    await alternate("native no-op, awaited", [bare(noop), invoked("noop")], turns, [
      { against: [BARE], kind: "adds at most", target: 250 },
    ]),
    await alternate("native async function, awaited", [bare(later), invoked("later")], turns),
  ];
}
