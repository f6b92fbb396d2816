import { nativeModule, type ErrorCode, type Kernel, type ModuleDefinition } from "@keelson/core";
import { ensure, ensureCode, ensureEqual, type Check } from "../check.ts";
import { openKernel, versioned } from "./kernel-setup.ts";

/** A module in a version, with what it depends on. */
const needing = (id: string, version: string, depends: Record<string, string>): ModuleDefinition =>
  versioned(id, version, { depends });

const statesOf = (kernel: Kernel): readonly string[] => kernel.list().map(({ state }) => state);

/** Checks of dependencies, and of reconcile(). */
export const reconcileChecks: readonly Check[] = [
  {
    id: "kernel.reconcile",
    title: "reconcile refuses unknown ids before anything changes, and converges both ways",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      for (const id of ["a", "b", "c"]) await kernel.register(versioned(id, "1.0.0"));
      await kernel.start("a", "b");
      await ensureCode(kernel.reconcile(["c", "nobody"]), "UNKNOWN_MODULE", "an unknown id");
      ensureEqual(statesOf(kernel), ["running", "running", "loaded"], "states after the refusal");
      const { added, removed, kept } = await kernel.reconcile(["b", "c"]);
      ensureEqual({ added, removed, kept }, { added: ["c"], removed: ["a"], kept: ["b"] }, "the report");
      ensureEqual(statesOf(kernel), ["stopped", "running", "running"], "states");
      const back = await kernel.reconcile(["a", "b", versioned("c", "2.0.0")]);
      ensureEqual(
        { added: back.added, removed: back.removed, kept: back.kept, reloaded: back.reloaded },
        { added: ["a"], removed: [], kept: ["b"], reloaded: ["c"] },
        "the report of the way back",
      );
      ensureEqual(statesOf(kernel), ["running", "running", "running"], "states after the way back");
      ensureEqual(await kernel.invoke("c", "version"), "2.0.0", "the version that answers");
    },
  },
  {
    id: "kernel.reconcile-refuses",
    title:
      "a desired set that cannot come about is refused before anything changes: what is missing, does not fit, is given twice or goes in a circle",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      await kernel.register(versioned("a", "1.0.0"));
      await kernel.start("a");
      const refused: readonly (readonly [ErrorCode, string, readonly ModuleDefinition[]])[] = [
        ["DEPENDENCY_MISSING", "a dependency that there is not", [needing("b", "1.0.0", { nobody: "*" })]],
        ["DEPENDENCY_MISSING", "a version that does not fit", [needing("b", "1.0.0", { a: "^2.0.0" })]],
        [
          "DEPENDENCY_CYCLE",
          "a circle",
          [needing("b", "1.0.0", { c: "*" }), needing("c", "1.0.0", { b: "*" })],
        ],
        ["DUPLICATE_MODULE", "a module twice", [versioned("b", "1.0.0"), versioned("b", "2.0.0")]],
      ];
      for (const [code, what, desired] of refused) {
        await ensureCode(kernel.reconcile(desired), code, what);
        ensureEqual(
          kernel.list().map(({ metadata, state }) => [metadata.id, state]),
          [["a", "running"]],
          `modules after the refusal of ${what}`,
        );
      }
    },
  },
  {
    id: "kernel.reconcile-fits",
    title:
      "modules come to versions that only fit together, each started beside one that fits it; what fits none is not left running",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const beside: unknown[] = [];
      const base = (version: string): ModuleDefinition => versioned("base", version);
      const app = (version: string): ModuleDefinition =>
        versioned("app", version, {
          depends: { base: `^${version}` },
          start() {
            const found = kernel.list().find(({ metadata }) => metadata.id === "base");
            beside.push([version, found?.metadata.version, found?.state]);
          },
        });
      await kernel.reconcile([app("1.0.0"), base("1.0.0")]);
      const { reloaded, errors } = await kernel.reconcile([app("2.0.0"), base("2.0.0")]);
      ensureEqual([...reloaded].sort(), ["app", "base"], "modules reloaded");
      ensureEqual(errors.length, 0, "errors");
      ensureEqual(
        beside,
        [
          ["1.0.0", "1.0.0", "running"],
          ["2.0.0", "2.0.0", "running"],
        ],
        "what each version was started beside",
      );
      ensureEqual(await kernel.invoke("app", "version"), "2.0.0", "the version that answers");
      const { removed } = await kernel.reconcile([base("3.0.0")]);
      ensureEqual([...removed], ["app"], "modules that nothing fits any more");
      ensureEqual([kernel.state("base"), kernel.state("app")], ["running", "stopped"], "states");
    },
  },
  {
    id: "kernel.reconcile-only-asked",
    title: "reconcile starts what is desired and what that depends on, and nothing else",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      const started: string[] = [];
      const noted = (id: string, depends: Record<string, string> = {}, version = "1.0.0"): ModuleDefinition =>
        nativeModule({ id, version, depends, start: () => void started.push(id) });
      await kernel.register(noted("idle"));
      await kernel.register(noted("was-stopped"));
      await kernel.start("was-stopped");
      await kernel.stop("was-stopped");
      await kernel.register(noted("base"));
      started.length = 0;
      await kernel.reconcile([noted("app", { base: "*" })]);
      ensureEqual(started, ["base", "app"], "modules started");
      await kernel.reconcile([noted("app", { base: "*" }, "2.0.0"), "base"]);
      ensureEqual(started, ["base", "app", "app"], "modules started by the second reconcile");
      ensureEqual(kernel.state("idle"), "loaded", "state of what nobody asked for");
      ensureEqual(kernel.state("was-stopped"), "stopped", "state of what had been stopped");
    },
  },
  {
    id: "kernel.reconcile-fails-alone",
    title:
      "what cannot be changed goes on as it was, is reported with the reason, and keeps nothing else from converging",
    async run(subject, context) {
      const kernel = await openKernel(subject, context);
      await kernel.reconcile([
        versioned("a", "1.0.0"),
        versioned("b", "1.0.0"),
        versioned("surplus", "1.0.0"),
      ]);
      const report = await kernel.reconcile([
        versioned("a", "2.0.0", { health: () => ({ healthy: false }) }),
        versioned("b", "2.0.0"),
        versioned("bad", "1.0.0", { start: () => Promise.reject(new Error("on purpose")) }),
        versioned("good", "1.0.0"),
      ]);
      ensureEqual(
        report.errors.map(({ id, error }) => [id, error.code]),
        [
          ["a", "RELOAD_FAILED"],
          ["bad", "MODULE_FAILED"],
        ],
        "errors",
      );
      const { added, removed, kept, reloaded } = report;
      ensureEqual(
        { added, removed, kept, reloaded },
        { added: ["good"], removed: ["surplus"], kept: [], reloaded: ["b"] },
        "the report",
      );
      const answers = await Promise.all(["a", "b", "good"].map((id) => kernel.invoke(id, "version")));
      ensureEqual(answers, ["1.0.0", "2.0.0", "1.0.0"], "versions that answer");
      ensure(kernel.state("bad") !== "running", "what failed to start runs");
    },
  },
];
