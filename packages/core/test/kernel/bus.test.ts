import { expect, test } from "vitest";
import { nativeModule } from "../../src/kernel/index.ts";
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
