// A child that gives back what it is sent, until its input ends; tells what it may do when it is sent "?".
import type { ChildEnd } from "@keelson/core";
import { readFileSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { whatRan } from "./what-ran.ts";

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

for (let bytes = end.read(); bytes !== undefined; bytes = end.read()) {
  const said = new TextDecoder().decode(bytes);
  if (said === "ran" && end.ran !== undefined) {
    end.write(new TextEncoder().encode(JSON.stringify(whatRan(end.ran))));
    continue;
  }
  if (said === "taken") {
    const loaded = Reflect.get(globalThis, "keelsonTaken") === true;
    // Deno refuses to tell.
    const variable = attempt(() => {
      if (process.env["KEELSON_TAKEN"] === undefined) throw new Error("not there");
    });
    end.write(new TextEncoder().encode(JSON.stringify({ loaded, variable })));
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
