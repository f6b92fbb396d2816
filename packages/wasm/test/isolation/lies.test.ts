import type { ErrorCode, Platform, Processes } from "@keelson/core";
import { expect, test } from "vitest";
import { suspending } from "../../src/index.ts";
import { wat } from "../support/wat.ts";
import { children, codeOf, eventually, isAlive, onlyChild, open } from "./harness.ts";

const GUEST = wat(`(module
  (import "host" "hear" (func $hear (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $calls (mut i32) (i32.const 0))
  (func (export "count") (param i32) (result i32) (global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls)))`);

function liar(platform: Platform): Platform {
  const processes = platform.processes as Processes;
  const fork = processes.fork as NonNullable<Processes["fork"]>;
  const program = new URL("programs/liar.ts", import.meta.url);
  return {
    ...platform,
    processes: { ...processes, fork: (_, given) => fork.call(processes, program, given) },
  };
}

/** The pid of the one child, once the one before is reaped. */
async function nextChild(): Promise<number> {
  await eventually(() => children().length === 1);
  return onlyChild();
}

const LIES: Readonly<Record<string, ErrorCode>> = {
  "a length that is none": "PROCESS_EXITED",
  "a length beyond all": "PROCESS_EXITED",
  "a message cut short": "PROCESS_EXITED",
  "half a message before its end": "PROCESS_EXITED",
  "an instance where a call is answered": "PROCESS_EXITED",
  "a function that there is not": "PROCESS_EXITED",
  "too many arguments": "PROCESS_EXITED",
  "an argument of another kind": "PROCESS_EXITED",
  "two calls of the host at once": "PROCESS_EXITED",
};

test("a guest's process that breaks the protocol in a call is killed, and the next call gets another", async () => {
  const heard: number[] = [];
  const hear = (value: number): Promise<number> => (heard.push(value), new Promise<number>(() => {}));
  const imports = { host: { hear: suspending(hear) } };
  const { kernel } = await open("process", { source: GUEST, imports }, liar);
  for (const [lie, code] of Object.entries(LIES)) {
    expect(await kernel.invoke("guest", "count", 0)).toBe(1);
    const pid = await nextChild();
    expect([lie, await codeOf(kernel.invoke("guest", lie))]).toEqual([lie, code]);
    await eventually(() => !isAlive(pid));
  }
  // The first of two is no lie yet.
  expect(heard).toEqual([1]);
  expect(await kernel.invoke("guest", "count", 0)).toBe(1);
});

test("a guest's process that says more than its answer is killed, and the answer counts", async () => {
  let heard = 0;
  const imports = { host: { hear: (() => ++heard) as never } };
  const { kernel } = await open("process", { source: GUEST, imports }, liar);
  for (const afterthought of [1, 2]) {
    expect(await kernel.invoke("guest", "count", 0)).toBe(1);
    const pid = await nextChild();
    expect(await kernel.invoke("guest", "count", afterthought)).toBe(2);
    await eventually(() => !isAlive(pid));
  }
  expect(heard).toBe(0);
});
