import { expect, test } from "vitest";
import { rejection } from "../support/errors.ts";
import { startGuest } from "../support/kernels.ts";
import { wat } from "../support/wat.ts";

// What the host imports into a module of its own comes out as a function that a table can hold.
const BRIDGE = wat(`(module (import "h" "f" (func $f)) (export "f" (func $f)))`);

const GUEST = wat(`(module
  (type $plain (func))
  (import "h" "table" (table 2 funcref))
  (elem (i32.const 1) $work)
  (func $work (local i32) (local.set 0 (i32.const 3))
    (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "spin") (loop (call_indirect (type $plain) (i32.const 0)) (br 0))))`);

const LASTS_MS = 2;

test("a function that the host put into a table, and that calls its guest back, gets it no time beyond its own", async () => {
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 2 });
  let calls = 0;
  const f = (): void => {
    calls++;
    for (const end = performance.now() + LASTS_MS; performance.now() < end;);
    (table.get(1) as () => void)();
  };
  const bridge = new WebAssembly.Instance(new WebAssembly.Module(BRIDGE), { h: { f } });
  table.set(0, bridge.exports["f"] as () => void);
  const kernel = await startGuest({ source: GUEST, imports: { h: { table } }, limits: { cpuMs: 20 } });
  const error = await rejection(kernel.invoke("guest", "spin", undefined, { timeoutMs: 20_000 }));
  expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { limit: "cpuMs" } });
  // one slice at most beyond the ten that fill its time
  expect(calls).toBeLessThan(300);
});
