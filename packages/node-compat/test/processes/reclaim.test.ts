import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { adapter, eventually, isAlive, lineReader, program } from "../adapter.ts";

const { processes } = await adapter();

describe("after the host was killed", () => {
  it("a child that heeds end of file is gone within two seconds, a deaf one is ended by reclaim()", async () => {
    const [command, args] = program("host.ts");
    const host = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: host.stdout });
    const [line] = (await once(lines, "line")) as [string];
    const [polite = 0, deaf = 0] = line.split(" ").map(Number);

    // While the host lives, its children are none of our business.
    const early = await processes.reclaim();
    expect(early.ended.concat(early.orphans).map(({ pid }) => pid)).not.toContain(deaf);
    expect([isAlive(polite), isAlive(deaf)]).toEqual([true, true]);

    const exited = once(host, "exit");
    const killed = performance.now();
    host.kill("SIGKILL");
    await exited;
    await eventually(() => !isAlive(polite));
    expect(performance.now() - killed).toBeLessThan(2000);
    expect(isAlive(deaf)).toBe(true);

    const report = await processes.reclaim();
    expect(report.ended.map(({ pid }) => pid)).toContain(deaf);
    expect(report.orphans).toEqual([]);
    expect(isAlive(deaf)).toBe(false);
  });

  it("reclaim() leaves this program's own children alone", async () => {
    await using child = await processes.spawn("sh", ["-c", "sleep 1000 & echo ready; wait"], {});
    await lineReader(child.stdout)();
    await processes.reclaim();
    expect(isAlive(child.pid)).toBe(true);
  });
});
