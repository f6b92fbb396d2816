import * as keelson from "keelson";
import { expect, test } from "vitest";
import { platform } from "#runtime";
import { runtime } from "./program.ts";

test("export conditions pick the adapter of the runtime at hand, for the package itself and for its users", async () => {
  expect(platform().name).toBe(runtime);
  expect(keelson.platform().name).toBe(runtime);
  await using kernel = await keelson.createKernel();
  expect(kernel.platform.name).toBe(runtime);
});
