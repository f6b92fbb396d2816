import { expect, test } from "vitest";
import { KeelsonError } from "../../src/contract/errors.ts";
import { nativeModule } from "../../src/kernel/index.ts";
import { rejection } from "../support/errors.ts";
import { testKernel } from "./harness.ts";

test("what the kernel says has types, by topic and by pattern", async () => {
  const { kernel } = testKernel();
  const heard: string[] = [];
  kernel.bus.on("module.started", ({ data }) => heard.push(`${data.id} ${data.from} ${data.generation}`));
  kernel.bus.on("module.*", ({ data }) => heard.push(`${data.id} ${data.error?.code ?? "fine"}`));
  kernel.bus.on("module.call_failed", ({ data }) => heard.push(`${data.id} ${data.code}`));
  kernel.bus.on("kernel.stopped", ({ data }) => heard.push(`${data.terminated.join()} ${data.errors}`));
  await kernel.register(nativeModule({ id: "m" }));
  await kernel.start("m");
  await kernel.invoke("m", "nothing").catch(() => {});
  await kernel.shutdown();
  expect(heard).toContain("m starting 1");
  expect(heard).toContain("m fine");
  expect(heard).toContain("m UNKNOWN_METHOD");
  expect(heard).toContain("m 0");
});

test("the host hears everything, and publishes as itself on all topics but the kernel's own", async () => {
  const { kernel } = testKernel();
  const heard: string[] = [];
  kernel.bus.on("**", ({ source, topic }) => heard.push(`${source} ${topic}`));
  await kernel.register(nativeModule({ id: "m", start: ({ bus }) => bus.publish("news", 1) }));
  await kernel.start("m");
  kernel.bus.publish("greeting", 1);
  expect(heard).toEqual(expect.arrayContaining(["kernel module.started", "m news", "host greeting"]));
  expect(() => kernel.bus.publish("module.started", {})).toThrow(expect.objectContaining({ code: "DENIED" }));
});

test("each change of state is told with version, generation and error; errors are counted by code, and the series go with the module", async () => {
  const { kernel } = testKernel();
  const told: unknown[] = [];
  kernel.bus.on("module.**", ({ data }) => {
    const { id, from, to, generation, version, error } = data as Record<string, unknown>;
    if (to !== undefined)
      told.push([id, from, to, generation, version, (error as KeelsonError | undefined)?.code]);
  });
  const codes = ["DENIED", "NOT_FOUND", "DENIED"] as const;
  let calls = 0;
  let starts = 0;
  const fail = (): never => {
    throw new KeelsonError(codes[calls++] as (typeof codes)[number], "no");
  };
  const start = (): void => {
    if (starts++ === 0) throw new KeelsonError("DENIED", "not yet");
  };
  await kernel.register(nativeModule({ id: "m", version: "2.0.0", methods: { fail }, start }));
  expect((await rejection(kernel.start("m"))).code).toBe("DENIED");
  await kernel.start("m");
  for (const code of codes) expect((await rejection(kernel.invoke("m", "fail"))).code).toBe(code);
  const text = kernel.metrics.text();
  expect(text).toContain('keelson_call_errors_total{code="DENIED",module="m"} 2\n');
  expect(text).toContain('keelson_call_errors_total{code="NOT_FOUND",module="m"} 1\n');
  expect(text).toContain('keelson_call_duration_seconds_count{module="m"} 3\n');
  await kernel.stop("m");
  await kernel.unload("m");
  expect(kernel.metrics.text()).not.toContain('module="m"');
  const change = (from: string, to: string, generation: number, code?: string): unknown[] => [
    "m",
    from,
    to,
    generation,
    "2.0.0",
    code,
  ];
  expect(told).toEqual([
    change("loaded", "initializing", 1),
    change("initializing", "initialized", 1),
    change("initialized", "starting", 1),
    change("starting", "failed", 1, "DENIED"),
    change("failed", "initializing", 2),
    change("initializing", "initialized", 2),
    change("initialized", "starting", 2),
    change("starting", "running", 2),
    change("running", "stopping", 2),
    change("stopping", "stopped", 2),
  ]);
});
