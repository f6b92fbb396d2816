import process from "node:process";
import * as keelson from "keelson";
import { expect, test } from "vitest";
import { platform } from "#runtime";
import { bin, Program, runtime } from "./program.ts";

test("export conditions pick the adapter of the runtime at hand, for the package itself and for its users", async () => {
  expect(platform().name).toBe(runtime);
  expect(keelson.platform().name).toBe(runtime);
  await using kernel = await keelson.createKernel();
  expect(kernel.platform.name).toBe(runtime);
});

test("nothing is as good as no options, and loaders that are no list are INVALID_OPTIONS", async () => {
  for (const none of [null, {}, { loaders: undefined }] as never[]) {
    await using kernel = await keelson.createKernel(none);
    expect(kernel.list()).toEqual([]);
  }
  for (const loaders of [null, 5, "x", {}] as never[])
    await expect(async () => keelson.createKernel({ loaders })).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
    });
});

test("without permissions Deno's user is told how to give them", async (context) => {
  if (runtime !== "deno") context.skip("this runtime asks for no permissions");
  // By a shell, and by a name it does not see: a Deno that Deno starts itself is given its permissions.
  const command = 'exec "$DENO" run --no-prompt "$BIN" check nowhere';
  const env = { DENO: process.execPath, BIN: bin };
  const { code, stderr } = await new Program("sh", ["-c", command], { env }).ended;
  expect(stderr).toBe(
    "keelson: this program needs permissions to run\n  hint: deno run -A npm:keelson; narrower ones are for hosts of your own\n",
  );
  expect(code).toBe(1);
});
