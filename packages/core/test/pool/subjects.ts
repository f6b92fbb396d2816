import type { Call, Clock, Lease, PoolSource, Value } from "@keelson/core";

/** A thing that a pool holds in these tests. */
export interface Thing {
  readonly id: number;
  bytes: number;
}

/** A source that keeps its own books and can be told to answer later, or to fail. */
export interface TestSource extends PoolSource<Thing> {
  readonly alive: Set<Thing>;
  made: number;
  /** Creations that wait for {@link TestSource.settle}; only with `later`. */
  readonly pending: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[];
  /** Answer with promises that stand in `pending`. */
  later: boolean;
  /** Thrown by create. */
  failure: Error | undefined;
  destroyFailure: Error | undefined;
}

export function createSource(options: { readonly later?: boolean } = {}): TestSource {
  const source: TestSource = {
    alive: new Set(),
    made: 0,
    pending: [],
    later: options.later ?? false,
    failure: undefined,
    destroyFailure: undefined,
    create() {
      if (source.failure !== undefined) throw source.failure;
      if (!source.later) return makeThing(source);
      return new Promise((resolve, reject) => {
        let settled = false;
        const once = (run: () => void): void => {
          if (!settled) run();
          settled = true;
        };
        source.pending.push({
          resolve: () => once(() => resolve(makeThing(source))),
          reject: (error) => once(() => reject(error as Error)),
        });
      });
    },
    destroy(thing) {
      if (!source.alive.delete(thing)) throw new Error(`${thing.id} is destroyed twice`);
      if (source.destroyFailure !== undefined) throw source.destroyFailure;
    },
    memoryBytes: (thing) => thing.bytes,
  };
  return source;
}

function makeThing(source: TestSource): Thing {
  const thing = { id: ++source.made, bytes: 0 };
  source.alive.add(thing);
  return thing;
}

/** A call as the kernel would make it, as far as a pool looks. */
export function createCall(options: Partial<Call> & { readonly controller?: AbortController } = {}): Call {
  const { controller = new AbortController(), ...rest } = options;
  return {
    module: "guest",
    method: "run",
    payload: undefined,
    parent: undefined,
    deadline: Infinity,
    measurement: undefined,
    signal: controller.signal,
    invoke: () => Promise.reject(new Error("no kernel here")),
    invokeSync: (): Value => {
      throw new Error("no kernel here");
    },
    ...rest,
  };
}

/** Counts the listeners that are on a signal. */
export function countListeners(signal: AbortSignal): () => number {
  let count = 0;
  const target = signal as { addEventListener: unknown; removeEventListener: unknown };
  const add = signal.addEventListener.bind(signal) as (...args: unknown[]) => void;
  const remove = signal.removeEventListener.bind(signal) as (...args: unknown[]) => void;
  const listeners = new Set<unknown>();
  target.addEventListener = (...args: unknown[]) => {
    listeners.add(args[1]);
    count = listeners.size;
    add(...args);
  };
  target.removeEventListener = (...args: unknown[]) => {
    listeners.delete(args[1]);
    count = listeners.size;
    remove(...args);
  };
  return () => count;
}

/** What became of a checkout so far. */
export interface Watched<T> {
  readonly done: Promise<void>;
  lease: Lease<T> | undefined;
  error: unknown;
}

/** Watches a checkout without waiting for it. */
export function watch<T>(checkout: Promise<Lease<T>>): Watched<T> {
  const watched: Watched<T> = {
    lease: undefined,
    error: undefined,
    done: checkout.then(
      (lease) => {
        watched.lease = lease;
      },
      (error: unknown) => {
        watched.error = error;
      },
    ),
  };
  return watched;
}

/** Real time, for storms. */
export function createRealClock(): Clock {
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    after(ms, run) {
      const timer = setTimeout(run, ms);
      return { [Symbol.dispose]: () => clearTimeout(timer) };
    },
  };
}
