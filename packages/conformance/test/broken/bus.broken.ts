import type { Envelope, Value } from "@keelson/core";
import { breakBus, breakDoors, breakKernel, breakSupervisor, overlay, type Breaking } from "./breaking.ts";

export const brokenBuses: Readonly<Record<string, Breaking>> = {
  "bus.order": breakBus((bus) => ({
    publish: (topic, data) => bus.publish(topic, structuredClone(data) as Value),
  })),
  // ** for any number of words, none included
  "bus.patterns": breakBus((bus) => ({
    on(pattern, listener) {
      const more = pattern.endsWith(".**")
        ? bus.on(pattern.slice(0, -3), listener as (envelope: Envelope) => void)
        : undefined;
      const handle = bus.on(pattern, listener);
      return {
        [Symbol.dispose]() {
          handle[Symbol.dispose]();
          more?.[Symbol.dispose]();
        },
      };
    },
  })),
  // as an emitter does it: the throw ends the delivery
  "bus.listener-fails-alone": breakBus((bus) => {
    let failed = false;
    return {
      publish(topic, data) {
        failed = false;
        bus.publish(topic, data);
      },
      on: (pattern, listener) =>
        bus.on(pattern, (envelope) => {
          if (failed) return;
          failed = true;
          listener(envelope);
          failed = false;
        }),
    };
  }),
  // does not count what it drops
  "bus.bounded-queues": breakBus((bus) => ({
    subscribe: (pattern, options) => overlay(bus.subscribe(pattern, options), { lagged: 0 }),
  })),
  // leaving the loop leaves the subscription
  "bus.iteration": breakBus((bus) => ({
    subscribe(pattern, options) {
      const subscription = bus.subscribe(pattern, options);
      const next = (): Promise<IteratorResult<Envelope<never>>> =>
        subscription[Symbol.asyncIterator]().next() as never;
      return overlay(subscription, { [Symbol.asyncIterator]: () => ({ next }) as never });
    },
  })),
  // does not wait
  "bus.back-pressure": breakBus((bus) => ({ send: async (topic, data) => bus.publish(topic, data) })),
  // a responder's failure as it is
  "bus.request": breakBus((bus) => ({
    request: (topic, data, options) =>
      bus.request(topic, data, options).catch((error: { code?: string; cause?: unknown }) => {
        throw error.code === "REQUEST_FAILED" ? error.cause : error;
      }),
  })),
  // whoever asked first gets the first answer
  "bus.replies-matched": breakBus((bus) => {
    const waiting: PromiseWithResolvers<Value>[] = [];
    return {
      request(topic, data, options) {
        const mine = Promise.withResolvers<Value>();
        waiting.push(mine);
        bus.request(topic, data, options).then(
          (value) => waiting.shift()?.resolve(value),
          (error: unknown) => waiting.shift()?.reject(error),
        );
        return mine.promise;
      },
    };
  }),
  // from the beginning, wherever the cursor stands
  "bus.replay": breakBus((bus) => ({ events: () => bus.events() })),
  "bus.close": breakBus((bus) => {
    let closed = false;
    return {
      close() {
        bus.close();
        closed = true;
      },
      publish(topic, data) {
        if (!closed) bus.publish(topic, data);
      },
    };
  }),
  // hands modules the host's own bus
  "bus.door": breakDoors((_, kernel) => ({ publish: (topic, data) => kernel.bus.publish(topic, data) })),
};

export const brokenSupervisors: Readonly<Record<string, Breaking>> = {
  // a normal end is a reason to restart
  "supervisor.policy": breakSupervisor((supervisor) => ({
    adopt: (child, options) =>
      supervisor.adopt(child, options?.policy === "on-failure" ? { ...options, policy: "always" } : options),
  })),
  "supervisor.failed-start": breakSupervisor((supervisor) => ({
    adopt: (child, options) =>
      supervisor.adopt(
        overlay(child, {
          onEvent(run) {
            let started = false;
            return child.onEvent((event) => {
              started ||= event.type === "started";
              if (started || event.type !== "exited") run(event);
            });
          },
        }),
        options,
      ),
  })),
  "supervisor.backoff": breakSupervisor((supervisor) => ({
    adopt: (child, options) =>
      supervisor.adopt(child, { ...options, backoff: { ...options?.backoff, factor: 1 } }),
  })),
  "supervisor.intensity": breakSupervisor((supervisor) => ({
    adopt: (child, options) =>
      supervisor.adopt(child, { ...options, intensity: { max: 1000, withinMs: 60_000 } }),
  })),
  // the restart under way goes on
  "supervisor.stop-cancels": breakSupervisor(
    () => ({}),
    (options) => ({
      ...options,
      clock: overlay(options.clock, {
        after(ms, run, background) {
          options.clock.after(ms, run, background);
          return { [Symbol.dispose]() {} };
        },
      }),
    }),
  ),
  // `healthCheck() || true`
  "supervisor.health": breakSupervisor((supervisor) => ({
    adopt: (child, options) =>
      supervisor.adopt(overlay(child, { health: async () => ({ healthy: true }) }), options),
  })),
  // the same generation once more
  "supervisor.restarts-modules": breakKernel((kernel) => ({
    invoke: async (id, method, ...rest) => (method === "generation" ? 1 : kernel.invoke(id, method, ...rest)),
  })),
};
