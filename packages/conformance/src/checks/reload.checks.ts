import {
  type Clock,
  type Kernel,
  type ModuleDefinition,
  nativeModule,
  type NativeModuleOptions,
} from "@keelson/core";
import { ensure, ensureCode, ensureEqual, handled, type Check } from "../check.ts";
import { never, openKernel, versioned } from "./kernel-setup.ts";

const broken: readonly Partial<NativeModuleOptions>[] = [
  { start: () => Promise.reject(new Error("on purpose")) },
  { init: () => Promise.reject(new Error("on purpose")) },
  { health: () => ({ healthy: false, message: "on purpose" }) },
];

/** Checks of replacing a version by another. */
export const reloadChecks: readonly Check[] = [
  {
    id: "reload.swaps",
    title: "after a reload the new version answers, with overlap and without",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      for (const overlap of [true, false]) {
        const id = `m-${overlap}`;
        await kernel.register(versioned(id, "1.0.0", { overlap }));
        await kernel.start(id);
        await kernel.reload(id, versioned(id, "2.0.0", { overlap }));
        ensureEqual(await kernel.invoke(id, "version"), "2.0.0", "the version that answers");
      }
    },
  },
  {
    id: "reload.rolls-back",
    title:
      "a version that does not come up healthy never takes a call: RELOAD_FAILED, and the old one serves on",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      for (const overlap of [true, false]) {
        const id = `m-${overlap}`;
        await kernel.register(versioned(id, "1.0.0", { overlap }));
        await kernel.start(id);
        for (const way of broken) {
          const seen = new Set<unknown>();
          const reload = ensureCode(
            kernel.reload(id, versioned(id, "2.0.0", { overlap, ...way })),
            "RELOAD_FAILED",
            "a broken version",
          );
          for (let n = 0; n < 5; n++) seen.add(await kernel.invoke(id, "version"));
          await reload;
          seen.add(await kernel.invoke(id, "version"));
          ensureEqual([...seen], ["1.0.0"], "versions that answered");
        }
      }
    },
  },
  {
    id: "reload.says-who-serves",
    title:
      "by the time a failed reload is told, the old version serves if `details.serving` says so, and nothing does if it does not",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      for (const [id, overlap, comesBack] of [
        ["beside", true, true],
        ["in-turn", false, true],
        ["gone", false, false],
      ] as const) {
        let starts = 0;
        await kernel.register(
          versioned(id, "1.0.0", {
            overlap,
            start: () => (++starts > 1 && !comesBack ? Promise.reject(new Error("on purpose")) : undefined),
          }),
        );
        await kernel.start(id);
        const told = await kernel
          .reload(id, versioned(id, "2.0.0", { overlap, ...broken[0] }))
          .catch((error: unknown) => ({ error, state: kernel.state(id) }));
        ensure(told !== undefined, `the broken version of ${id} came up`);
        const { details } = told.error as { details?: { serving?: boolean } };
        ensureEqual(details?.serving, comesBack, `details.serving of ${id}`);
        ensureEqual(told.state === "running", comesBack, `whether ${id} runs as the error is told`);
        if (comesBack) ensureEqual(await kernel.invoke(id, "version"), "1.0.0", "the version that answers");
        else await ensureCode(kernel.invoke(id, "version"), "MODULE_NOT_RUNNING", "a call of what is gone");
      }
    },
  },
  {
    id: "reload.failure-keeps-supervision",
    title: "after a reload that failed, the old version's health is checked and it is restarted as before",
    async run(subject, context) {
      const { clock } = subject.platform();
      const kernel = await openKernel(subject, context);
      for (const overlap of [true, false]) {
        const id = `m-${overlap}`;
        let healthy = true;
        let onStart = (): void => {};
        await kernel.register(
          versioned(id, "1.0.0", {
            overlap,
            restart: {
              policy: "on-failure",
              health: { everyMs: 5, failures: 1 },
              backoff: { initialMs: 1, jitter: 0 },
            },
            start() {
              healthy = true;
              onStart();
            },
            health: () => ({ healthy }),
          }),
        );
        await kernel.start(id);
        const reload = kernel.reload(id, versioned(id, "2.0.0", { overlap, ...broken[0] }));
        await ensureCode(reload, "RELOAD_FAILED", "a broken version");
        const restarted = await new Promise<boolean>((resolve) => {
          const limit = clock.after(1_000, () => resolve(false));
          onStart = () => {
            limit[Symbol.dispose]();
            resolve(true);
          };
          healthy = false;
        });
        ensure(
          restarted,
          `${id} was unhealthy for a second after a reload that failed, and nobody restarted it`,
        );
      }
    },
  },
  {
    id: "reload.only-asked",
    title:
      "a reload starts what the new version depends on, and nothing else; of a module that does not run it changes the definition alone",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      for (const id of ["needed", "idle"]) await kernel.register(versioned(id, "1.0.0"));
      await kernel.register(versioned("m", "1.0.0"));
      await kernel.reload("m", versioned("m", "2.0.0", { depends: { needed: "^1.0.0" } }));
      ensureEqual(
        kernel.list().map(({ metadata, state }) => [metadata.id, metadata.version, state]),
        [
          ["needed", "1.0.0", "loaded"],
          ["idle", "1.0.0", "loaded"],
          ["m", "2.0.0", "loaded"],
        ],
        "modules after the reload of one that does not run",
      );
      await kernel.reload("m", versioned("m", "3.0.0"));
      await kernel.start("m");
      await kernel.reload("m", versioned("m", "4.0.0", { depends: { needed: "^1.0.0" } }));
      ensureEqual(
        kernel.list().map(({ metadata, state }) => [metadata.id, state]),
        [
          ["needed", "running"],
          ["idle", "loaded"],
          ["m", "running"],
        ],
        "modules after the reload of one that runs",
      );
      ensureEqual(await kernel.invoke("m", "version"), "4.0.0", "the version that answers");
    },
  },
  {
    id: "reload.loses-no-call",
    title: "calls in flight and calls that come during a reload are all answered",
    async run(subject, context) {
      const { clock } = subject.platform();
      const kernel = await openKernel(subject, context);
      for (const overlap of [true, false]) {
        const id = `m-${overlap}`;
        const slow = (version: string, fails: boolean) =>
          nativeModule({
            id,
            version,
            overlap,
            methods: {
              echo: ({ payload }) =>
                new Promise((resolve) => clock.after((payload as number) % 3, () => resolve(payload))),
            },
            start: () =>
              new Promise((resolve, reject) =>
                clock.after(2, () => (fails ? reject(new Error("on purpose")) : resolve())),
              ),
          });
        await kernel.register(slow("1.0.0", false));
        await kernel.start(id);
        let asked = 0;
        const answers: Promise<unknown>[] = [];
        for (let round = 0; round < 10; round++) {
          const reload = kernel.reload(id, slow(`${round + 2}.0.0`, round % 2 === 0)).catch(() => {});
          for (let n = 0; n < 10; n++) {
            answers.push(kernel.invoke(id, "echo", asked++).catch((error: { code?: string }) => error.code));
            await new Promise<void>((resolve) => clock.after(1, resolve));
          }
          await reload;
        }
        ensureEqual(
          await Promise.all(answers),
          Array.from({ length: asked }, (_, n) => n),
          "answers",
        );
      }
    },
  },
  {
    id: "reload.answers-what-was-asked",
    title:
      "a filter and a request under way are answered by the version they reached, and no run of a hook misses its filter during a reload",
    async run(subject, context) {
      const { clock } = subject.platform();
      const kernel = await openKernel(subject, context);
      for (const overlap of [true, false]) {
        const id = `m-${overlap}`;
        const asked = (version: string) =>
          versioned(id, version, {
            overlap,
            start({ hooks, bus }) {
              const later = () => new Promise<string>((resolve) => clock.after(5, () => resolve(version)));
              hooks.filter(id, async (value) => [...(value as string[]), await later()]);
              bus.respond(id, later);
            },
          });
        await kernel.register(asked("1.0.0"));
        await kernel.start(id);
        const filtered = kernel.hooks.applyFilters(id, []);
        const answered = kernel.bus.request(id, null);
        const reload = kernel.reload(id, asked("2.0.0"));
        const meanwhile: Promise<unknown>[] = [];
        for (let turn = 0; turn < 50; turn++) {
          meanwhile.push(kernel.hooks.applyFilters(id, []));
          await Promise.resolve();
        }
        ensureEqual(await filtered, ["1.0.0"], "who filtered what was under way");
        ensureEqual(await answered, "1.0.0", "who answered the request under way");
        await reload;
        for (const run of await Promise.all(meanwhile))
          ensureEqual((run as unknown[]).length, 1, "versions that filtered during the reload");
        ensureEqual(await kernel.hooks.applyFilters(id, []), ["2.0.0"], "who filters after the reload");
      }
    },
  },
  {
    id: "reload.requests-wait",
    title:
      "requests that come during a reload are all answered, by the one version or the other, also while neither lives",
    async run(subject, context) {
      const { clock } = subject.platform();
      const kernel = await openKernel(subject, context);
      for (const overlap of [true, false]) {
        const id = `m-${overlap}`;
        const asked = (version: string, fails: boolean) =>
          versioned(id, version, {
            overlap,
            async start({ bus }) {
              await new Promise<void>((resolve) => clock.after(5, resolve));
              if (fails) throw new Error("on purpose");
              bus.respond(id, (data) => [version, data]);
            },
          });
        await kernel.register(asked("1.0.0", false));
        await kernel.start(id);
        for (const fails of [true, false]) {
          let over = false;
          const reload = kernel
            .reload(id, asked("2.0.0", fails))
            .catch(() => {})
            .finally(() => (over = true));
          const answers: Promise<unknown>[] = [];
          while (!over) {
            const n = answers.length;
            const answer = kernel.bus.request(id, n);
            answers.push(answer.catch((error: { code?: string }) => [error.code, n]));
            await new Promise<void>((resolve) => clock.after(1, resolve));
          }
          await reload;
          const serves = fails ? ["1.0.0"] : ["1.0.0", "2.0.0"];
          for (const [n, answer] of (await Promise.all(answers)).entries()) {
            const [version, data] = answer as [string, number];
            ensure(serves.includes(version), `request ${n} was answered with ${version}`);
            ensureEqual(data, n, "what was asked");
          }
          ensureEqual(await kernel.bus.request(id, 0), [serves.at(-1), 0], "who answers after the reload");
        }
      }
    },
  },
  {
    id: "reload.inner-hooks",
    title:
      "a call in flight that waits for a hook of its own module does not wait for the reload which waits for that call",
    async run(subject, context) {
      const { clock } = subject.platform();
      const kernel = await openKernel(subject, context, { drainMs: 5_000 });
      for (const overlap of [true, false]) {
        const id = `m-${overlap}`;
        const nested = (version: string) =>
          versioned(id, version, {
            overlap,
            methods: {
              async outer() {
                await new Promise<void>((resolve) => clock.after(5, resolve));
                return kernel.hooks.applyFilters(id, []);
              },
            },
            start: ({ hooks }) => void hooks.filter(id, async (value) => [...(value as string[]), version]),
          });
        const outer = await reloadDuring("outer", id, kernel, nested, clock);
        ensureEqual(outer, [overlap ? "2.0.0" : "1.0.0"], "versions that filtered inside the call");
      }
    },
  },
  {
    id: "reload.inner-calls",
    title:
      "a call made inside one that is in flight does not wait for the reload which waits for that one: it is answered at once",
    async run(subject, context) {
      const { clock } = subject.platform();
      const kernel = await openKernel(subject, context, { drainMs: 5_000 });
      for (const overlap of [true, false]) {
        const id = `m-${overlap}`;
        const nested = (version: string) =>
          nativeModule({
            id,
            version,
            overlap,
            methods: {
              version: () => version,
              async outer(call) {
                await new Promise<void>((resolve) => clock.after(5, resolve));
                return [version, await call.invoke(id, "version")];
              },
            },
          });
        const outer = await reloadDuring("outer", id, kernel, nested, clock);
        ensureEqual(
          outer,
          overlap ? ["1.0.0", "2.0.0"] : ["1.0.0", "1.0.0"],
          "versions that answered outside and inside",
        );
      }
    },
  },
  {
    id: "reload.never-two-alive",
    title: "without overlap the old version has ended before the new one begins",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      let alive = 0;
      let most = 0;
      const counted = (version: string) =>
        versioned("m", version, {
          overlap: false,
          start: () => void (most = Math.max(most, ++alive)),
          stop: async () => void alive--,
        });
      await kernel.register(counted("1.0.0"));
      await kernel.start("m");
      for (let n = 2; n < 6; n++) await kernel.reload("m", counted(`${n}.0.0`));
      ensureEqual(most, 1, "versions alive at the same time");
    },
  },
  {
    id: "reload.given-up-by-stop",
    title:
      "a stop waits for no call that a reload waits for: it fails with ABORTED, and no version is left alive",
    async run(subject, context) {
      const kernel = await openKernel(subject, context, { drainMs: 60_000 });
      for (const overlap of [true, false]) {
        const id = `m-${overlap}`;
        let alive = 0;
        const counted = (version: string) =>
          nativeModule({
            id,
            version,
            overlap,
            methods: { hang: never },
            start: () => void alive++,
            stop: async () => void alive--,
          });
        await kernel.register(counted("1.0.0"));
        await kernel.start(id);
        const hung = ensureCode(
          kernel.invoke(id, "hang", null, { timeoutMs: 60_000 }),
          "ABORTED",
          "a call in flight",
        );
        const reload = handled(kernel.reload(id, counted("2.0.0")));
        if (overlap) await reload;
        await kernel.stop(id);
        ensureEqual(alive, 0, `versions alive after the stop, ${overlap ? "with" : "without"} overlap`);
        await hung;
        if (!overlap) await ensureCode(reload, "RELOAD_FAILED", "the reload");
      }
    },
  },
  {
    id: "reload.listens-once",
    title: "subscriptions go live at the swap: each envelope is heard by one version",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const heard: string[] = [];
      const listening = (version: string, gate?: Promise<void>) =>
        versioned("m", version, {
          async start({ bus }) {
            bus.on("news", () => void heard.push(version));
            await gate;
          },
        });
      await kernel.register(listening("1.0.0"));
      await kernel.start("m");
      const gate = Promise.withResolvers<void>();
      const reload = kernel.reload("m", listening("2.0.0", gate.promise));
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      kernel.bus.publish("news", 1);
      gate.resolve();
      await reload;
      kernel.bus.publish("news", 2);
      ensureEqual(heard, ["1.0.0", "2.0.0"], "who heard");
      ensure(kernel.state("m") === "running", "the module does not run");
    },
  },
];

/** Starts version 1.0.0, reloads it to 2.0.0 in the midst of a call, and answers what that call came to: its value, or its code. */
async function reloadDuring(
  method: string,
  id: string,
  kernel: Kernel,
  of: (version: string) => ModuleDefinition,
  clock: Clock,
): Promise<unknown> {
  await kernel.register(of("1.0.0"));
  await kernel.start(id);
  const call = kernel.invoke(id, method).catch((error: { code?: string }) => error.code);
  const before = clock.now();
  await kernel.reload(id, of("2.0.0"));
  const ms = clock.now() - before;
  ensure(ms < 4_000, `the reload took ${ms} ms: it waited for a call that waited for it`);
  return call;
}
