// A child that gives back what it is sent, until its input ends; tells what it may do when it is sent "?".
import type { ChildEnd } from "@keelson/core";
import { readFileSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";

const end = (globalThis as unknown as Record<symbol, ChildEnd>)[Symbol.for("keelson.end")];
if (end === undefined) throw new Error("no end of the line");
const attempt = (work: () => unknown): boolean => {
  try {
    work();
    return true;
  } catch {
    return false;
  }
};
/** How long it ran while it slept for 40 ms, and after that until it had run 10 ms more, or for 5 s. */
function whatRan(read: () => number): { readonly asleep: number; readonly busy: number } {
  const first = read();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40);
  const asleep = read() - first;
  const begun = performance.now();
  while (read() - first - asleep < 10 && performance.now() - begun < 5000);
  return { asleep, busy: read() - first - asleep };
}

for (let bytes = end.read(); bytes !== undefined; bytes = end.read()) {
  const said = new TextDecoder().decode(bytes);
  if (said === "ran" && end.ran !== undefined) {
    end.write(new TextEncoder().encode(JSON.stringify(whatRan(end.ran))));
    continue;
  }
  if (said !== "?") {
    end.write(bytes);
    continue;
  }
  const may = {
    read: attempt(() => readFileSync("/etc/hostname")),
    write: attempt(() => writeFileSync("/dev/null", "x")),
    spawn: attempt(() => {
      const { error } = spawnSync("true");
      if (error) throw error;
    }),
  };
  end.write(new TextEncoder().encode(JSON.stringify(may)));
}
end.write(new TextEncoder().encode("bye"));
