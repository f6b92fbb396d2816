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

    // Another program on this machine may reclaim at this moment, too: who does it is not ours to say.
    const report = await processes.reclaim();
    expect(report.orphans).toEqual([]);
    await eventually(() => !isAlive(deaf));
  });

  it("the first kernel of the next program ends what is left, and says so", async () => {
    const [command, args] = program("host.ts");
    const host = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(createInterface({ input: host.stdout }), "line")) as [string];
    const [, deaf = 0] = line.split(" ").map(Number);
    host.kill("SIGKILL");
    await once(host, "exit");

    const [next, nextArgs] = program("successor.ts");
    const successor = spawn(next, nextArgs, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    successor.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    const [code] = (await once(successor, "close")) as [number];
    expect(code).toBe(0);
    const [first = "", second] = text.trim().split("\n");
    const found = JSON.parse(first) as { ended: { pid: number }[] }[];
    if (found[0] !== undefined) expect(found[0].ended.map(({ pid }) => pid)).toContain(deaf);
    expect(second).toBe("[]");
    await eventually(() => !isAlive(deaf));
  });

  it("reclaim() leaves this program's own children alone", async () => {
    await using child = await processes.spawn("sh", ["-c", "sleep 1000 & echo ready; wait"], {});
    await lineReader(child.stdout)();
    await processes.reclaim();
    expect(isAlive(child.pid)).toBe(true);
  });
});
