import { expect, test } from "vitest";
import { startGuest } from "../support/kernels.ts";
import { wat } from "../support/wat.ts";

const PAGE = 65_536;
const GUEST = wat(`(module
  (import "host" "again" (func $again (param i32)))
  (memory (export "memory") 1)
  (func (export "fine"))
  (func (export "nest") (param i32) (call $again (local.get 0))))`);

test("a host has the idle instances of a guest ended when memory is short", async () => {
  const kernel = await startGuest({
    source: GUEST,
    imports: { host: { again: () => void kernel.invokeSync("guest", "fine") } },
    pool: { min: 1 },
  });
  await kernel.invoke("guest", "nest", [1]);
  expect(kernel.relieve("guest")).toEqual({ instances: 2, bytes: 2 * PAGE });
  // One that is kept warm comes in their place.
  await kernel.invoke("guest", "fine");
  expect(kernel.relieve("guest")).toEqual({ instances: 1, bytes: PAGE });
});

test("a guest in a call is not touched, however short memory is", async () => {
  const relieved: number[] = [];
  const kernel = await startGuest({
    source: GUEST,
    pool: { max: 2 },
    imports: {
      host: {
        again(depth: number) {
          if (depth > 0) kernel.invokeSync("guest", "nest", [depth - 1]);
          relieved.push(kernel.relieve().instances);
        },
      },
    },
  });
  await kernel.invoke("guest", "nest", [1]);
  // The inner call's instance is not idle before that call has ended.
  expect(relieved).toEqual([0, 1]);
  await kernel.invoke("guest", "fine");
});
