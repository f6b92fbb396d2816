import { nativeModule, type Call, type Files, type ModuleLoader } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, type Check } from "../check.ts";
import { openFolder } from "./files.checks.ts";
import { never, openKernel, versioned } from "./kernel-setup.ts";

const MAX_MANIFEST_BYTES = 2 ** 20;

/** Checks of the registry, of calls and of the shutdown. */
export const kernelChecks: readonly Check[] = [
  {
    id: "kernel.registry",
    title: "ids are unique and safe: DUPLICATE_MODULE, UNKNOWN_MODULE, INVALID_OPTIONS",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      await kernel.register(versioned("m", "1.0.0"));
      await ensureCode(kernel.register(versioned("m", "2.0.0")), "DUPLICATE_MODULE", "an id twice");
      await ensureCode(kernel.start("nobody"), "UNKNOWN_MODULE", "an unknown id");
      await ensureCode(kernel.invoke("nobody", "x"), "UNKNOWN_MODULE", "a call of an unknown id");
      for (const id of ["", "../m", "M", "a b", "a".repeat(65)]) {
        await ensureCode(
          kernel.register(versioned(id, "1.0.0")),
          "INVALID_OPTIONS",
          `the id ${JSON.stringify(id)}`,
        );
      }
      await ensureCode(kernel.register(versioned("n", "one")), "INVALID_OPTIONS", "a version that is none");
      ensureEqual(kernel.list().length, 1, "modules registered");
    },
  },
  {
    id: "kernel.call-fails-alone",
    title: "a call that throws, whatever it throws, fails alone, with a stable code",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const thrown: readonly unknown[] = [
        undefined,
        null,
        "text",
        new Error("on purpose"),
        { toString: never },
      ];
      await kernel.register(
        nativeModule({
          id: "m",
          methods: {
            sync({ payload }) {
              throw thrown[payload as number];
            },
            async: ({ payload }) => Promise.reject(thrown[payload as number]),
            slow: () => new Promise((resolve) => kernel.platform.clock.after(5, () => resolve("ok"))),
          },
        }),
      );
      await kernel.start("m");
      const other = kernel.invoke("m", "slow").catch((error: unknown) => String(error));
      for (const [index] of thrown.entries()) {
        for (const method of ["sync", "async"])
          await ensureCode(kernel.invoke("m", method, index), "CALL_FAILED", `${method} throw ${index}`);
      }
      ensureEqual(await other, "ok", "the other call");
      ensureEqual(kernel.state("m"), "running", "state");
    },
  },
  {
    id: "kernel.call-deadline",
    title: "a call ends at its deadline or its caller's signal, and a call inside it with it",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      let inner: Call | undefined;
      await kernel.register(
        nativeModule({ id: "in", methods: { hang: (call) => ((inner = call), void call.signal, never()) } }),
      );
      await kernel.register(
        nativeModule({
          id: "out",
          methods: { go: (call) => call.invoke("in", "hang", undefined, { timeoutMs: 60_000 }) },
        }),
      );
      await kernel.start();
      await ensureCode(
        kernel.invoke("out", "go", undefined, { timeoutMs: 20 }),
        "DEADLINE_EXCEEDED",
        "a call of 20 ms",
      );
      ensure(inner !== undefined && inner.signal.aborted, "the call inside was not ended");
      ensure(inner.parent?.module === "out", "the chain of calls is not handed down");
      const controller = new AbortController();
      const aborted = ensureCode(
        kernel.invoke("out", "go", undefined, { signal: controller.signal }),
        "ABORTED",
        "an aborted call",
      );
      controller.abort();
      await aborted;
      ensure(inner.signal.aborted, "the call inside the aborted one was not ended");
      ensureEqual(
        kernel.list().map(({ inFlight }) => inFlight),
        [0, 0],
        "calls in flight",
      );
    },
  },
  {
    id: "kernel.stop-ends-calls",
    title:
      "nothing of a module answers after its stop: calls in flight end with ABORTED, new ones are MODULE_NOT_RUNNING",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      await kernel.register(nativeModule({ id: "m", methods: { hang: never } }));
      await kernel.start("m");
      const hung = ensureCode(kernel.invoke("m", "hang"), "ABORTED", "a call in flight");
      await kernel.stop("m");
      await hung;
      await ensureCode(kernel.invoke("m", "hang"), "MODULE_NOT_RUNNING", "a call after the stop");
    },
  },
  {
    id: "kernel.would-block",
    title: "invokeSync gives what is there at once, and WOULD_BLOCK for a promise",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      await kernel.register(nativeModule({ id: "m", methods: { now: () => 1, later: async () => 2 } }));
      await kernel.start("m");
      ensureEqual(kernel.invokeSync("m", "now"), 1, "the value");
      await ensureCode(() => kernel.invokeSync("m", "later"), "WOULD_BLOCK", "a promise");
    },
  },
  {
    id: "kernel.phases",
    title:
      "hooks run around operations by priority; a critical one that fails ends the operation, another becomes an event",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const seen: number[] = [];
      for (const priority of [1, 3, 2])
        kernel.phase("pre-start", () => void seen.push(priority), { priority });
      const fail = (): never => {
        throw new Error("on purpose");
      };
      const hook = kernel.phase("post-start", fail);
      await kernel.register(versioned("m", "1.0.0"));
      await kernel.start("m");
      ensureEqual(seen, [3, 2, 1], "order of the hooks");
      ensure(
        kernel.events().some(({ topic }) => topic === "module.phase_failed"),
        "a failed hook made no event",
      );
      hook[Symbol.dispose]();
      kernel.phase("pre-start", fail, { critical: true });
      await kernel.register(versioned("n", "1.0.0"));
      await ensureCode(kernel.start("n"), "PHASE_FAILED", "a critical hook that fails");
    },
  },
  {
    id: "kernel.shutdown-report",
    title:
      "shutdown ends all modules, says which, what failed and what survived, and a second call joins the first",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      await kernel.register(versioned("good", "1.0.0"));
      await kernel.register(nativeModule({ id: "hung", deadlines: { stopMs: 20 }, stop: never }));
      await kernel.register(versioned("idle", "1.0.0"));
      await kernel.start("good", "hung");
      const [report, second] = await Promise.all([kernel.shutdown(), kernel.shutdown()]);
      ensure(report === second, "a second shutdown did not join the first");
      ensureEqual([...report.terminated], ["good"], "terminated");
      ensureEqual(
        report.errors.map(({ id, error }) => [id, error.code]),
        [["hung", "STOP_TIMEOUT"]],
        "errors",
      );
      ensureEqual([...report.orphans], [], "orphans");
      await ensureCode(kernel.start("good"), "KERNEL_CLOSED", "a start after the shutdown");
    },
  },
  {
    id: "kernel.shutdown-in-time",
    title:
      "a shutdown ends in its time whatever hangs; what ends later harms nobody, and the calls in flight are told",
    async run(subject, context) {
      const { clock } = subject.platform();
      const kernel = await openKernel(subject, context);
      const gate = Promise.withResolvers<void>();
      await kernel.register(
        nativeModule({
          id: "m",
          deadlines: { stopMs: 3_000 },
          stop: () => gate.promise,
          methods: { hang: never },
        }),
      );
      await kernel.start("m");
      const hung = ensureCode(kernel.invoke("m", "hang"), "ABORTED", "a call in flight");
      const begun = clock.now();
      const { errors } = await kernel.shutdown({ timeoutMs: 20 });
      ensure(clock.now() - begun < 2_500, "the shutdown waited for the module, not for its own time");
      ensureEqual(
        errors.map(({ id, error }) => [id, error.code]),
        [["m", "STOP_TIMEOUT"]],
        "errors",
      );
      gate.resolve();
      await hung;
    },
  },
  {
    id: "kernel.unload",
    title: "unload removes a module whatever happens, and returns what went wrong",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      await kernel.register(nativeModule({ id: "m", stop: () => Promise.reject(new Error("on purpose")) }));
      await kernel.start("m");
      const errors = await kernel.unload("m");
      ensureEqual(
        errors.map(({ code }) => code),
        ["MODULE_FAILED"],
        "errors returned",
      );
      ensureEqual(kernel.state("m"), undefined, "state");
      await kernel.register(versioned("m", "2.0.0"));
    },
  },
  {
    id: "kernel.manifest-bounded",
    title: "a manifest of more than 1 MiB is INVALID_MANIFEST before a byte of it is read",
    requires: ["files"],
    async run(subject, context) {
      const { files, folder } = await openFolder(subject, context);
      const read: string[] = [];
      const watched: Files = {
        resolve: (path) => files.resolve(path),
        read: (file) => (read.push(file.href), files.read(file)),
        write: (file, bytes) => files.write(file, bytes),
        stat: (file) => files.stat(file),
        list: (within) => files.list(within),
        remove: (file) => files.remove(file),
        real: (file) => files.real(file),
      };
      const loader: ModuleLoader = {
        kind: "wasm",
        load: async ({ id, version }) => versioned(id, version),
      };
      const platform = { ...subject.platform(), files: watched };
      const kernel = await openKernel(subject, context, { platform, loaders: [loader] });
      const manifest = {
        apiVersion: "keelson/v1",
        id: "m",
        name: "m",
        version: "1.0.0",
        kind: "wasm",
        entry: "m.wasm",
      };
      const file = new URL("manifest.json", folder);
      const write = (bytes: number): Promise<void> =>
        files.write(file, new TextEncoder().encode(JSON.stringify(manifest).padEnd(bytes)));
      await files.write(new URL("m.wasm", folder), new Uint8Array(8));
      await write(MAX_MANIFEST_BYTES + 1);
      await ensureCode(kernel.load(file), "INVALID_MANIFEST", "a manifest of 1 MiB and a byte");
      ensureEqual(read, [], "what was read of it");
      await write(MAX_MANIFEST_BYTES);
      await kernel.load(file);
      ensureEqual(await kernel.invoke("m", "version"), "1.0.0", "the module of a manifest of 1 MiB");
    },
  },
];
