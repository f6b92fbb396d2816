import { expect, test } from "vitest";
import { nativeModule } from "../../src/kernel/index.ts";
import { testKernel } from "./harness.ts";

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
