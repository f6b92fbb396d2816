import { performance } from "node:perf_hooks";
import { createKernel, nativeModule } from "keelson";
import { alternate, type Contender, OURS, type Task } from "./measure.ts";

const COUNT = 10_000;
const LOOP = "loop with states, dependencies and a signal each";

/** Registers, starts and stops 10,000 native modules, beside a loop that does the least of it by hand. */
export async function benchModules(rounds: number): Promise<readonly Task[]> {
  const turns = { rounds, times: COUNT, warm: 2 };
  const claims = [{ against: [LOOP], kind: "at most", target: 3 }] as const;
  return [
    await alternate("10,000 native modules up and down", [loop(1), keelson(1)], turns, claims),
    await alternate("the same in chains of ten", [loop(10), keelson(10)], turns),
  ];
}

/** What each module does: so little that only what is around it counts, but not nothing. */
let running = 0;
const start = (): void => void running++;
const stop = (): void => void running--;

/** What module `n` depends on, in chains of `length`. */
function dependsOn(n: number, length: number): string | undefined {
  return n % length === 0 ? undefined : `module-${n - 1}`;
}

function keelson(chain: number): Contender {
  return {
    name: OURS,
    async run(times) {
      await using kernel = await createKernel();
      const begin = performance.now();
      for (let n = 0; n < times; n++) {
        const before = dependsOn(n, chain);
        await kernel.register(
          nativeModule({
            id: `module-${n}`,
            start,
            stop,
            ...(before === undefined ? {} : { depends: { [before]: "*" } }),
          }),
        );
      }
      await kernel.start();
      if (running !== times) throw new Error(`${running} of ${times} run`);
      await kernel.stop();
      const taken = performance.now() - begin;
      if (running !== 0) throw new Error(`${running} still run`);
      return taken;
    },
  };
}

type State = "loaded" | "starting" | "running" | "stopping" | "stopped";

const steps: Readonly<Record<State, readonly State[]>> = {
  loaded: ["starting"],
  starting: ["running"],
  running: ["stopping"],
  stopping: ["stopped"],
  stopped: ["starting"],
};

interface Bare {
  readonly id: string;
  readonly before: readonly string[];
  readonly controller: AbortController;
  readonly start: (signal: AbortSignal) => void | Promise<void>;
  readonly stop: (signal: AbortSignal) => void | Promise<void>;
  state: State;
}

/** No deadlines, events, metrics, validation, scopes, generations or reports. */
class Loop {
  readonly #modules = new Map<string, Bare>();

  async register(id: string, before: readonly string[]): Promise<void> {
    if (this.#modules.has(id)) throw new Error(`${id} is there already`);
    this.#modules.set(id, { id, before, start, stop, controller: new AbortController(), state: "loaded" });
  }

  async start(): Promise<void> {
    for (const module of this.#order()) {
      move(module, "starting");
      await module.start(module.controller.signal);
      move(module, "running");
    }
  }

  async stop(): Promise<void> {
    for (const module of this.#order().reverse()) {
      move(module, "stopping");
      module.controller.abort();
      await module.stop(module.controller.signal);
      move(module, "stopped");
    }
  }

  #order(): Bare[] {
    const order: Bare[] = [];
    const seen = new Set<string>();
    const visit = (module: Bare): void => {
      if (seen.has(module.id)) return;
      seen.add(module.id);
      for (const id of module.before) visit(this.#modules.get(id) as Bare);
      order.push(module);
    };
    for (const module of this.#modules.values()) visit(module);
    return order;
  }
}

function move(module: Bare, to: State): void {
  if (!steps[module.state].includes(to))
    throw new Error(`${module.id} cannot go from ${module.state} to ${to}`);
  module.state = to;
}

function loop(chain: number): Contender {
  return {
    name: LOOP,
    async run(times) {
      const loop = new Loop();
      for (let n = 0; n < times; n++) {
        const before = dependsOn(n, chain);
        await loop.register(`module-${n}`, before === undefined ? [] : [before]);
      }
      await loop.start();
      if (running !== times) throw new Error(`${running} of ${times} run`);
      await loop.stop();
      if (running !== 0) throw new Error(`${running} still run`);
    },
  };
}
