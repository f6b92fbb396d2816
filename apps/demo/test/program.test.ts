import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { get, post } from "../src/once/client.ts";
import { ensureBuilt } from "../src/plugins.ts";
import { currentRuntime, runtimeNames } from "../src/runtime.ts";

beforeAll(ensureBuilt, 120_000);

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const before = { node: [], deno: ["run", "-A"], bun: ["--bun"] }[currentRuntime()];

interface Run {
  /** Sends a signal to the process alone, or to all of its group, as a terminal does. */
  signal(name: NodeJS.Signals, whom?: "alone" | "group"): void;
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
  /** Resolves with the match when the output has one. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
}

function run(...args: readonly string[]): Run {
  return follow(process.execPath, [...before, main, ...args]);
}

function follow(command: string, args: readonly string[], variables: NodeJS.ProcessEnv = {}): Run {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    // It leads a group of its own then, whose id is its own.
    detached: true,
    env: { ...process.env, ...variables },
  });
  let output = "";
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += String(chunk);
      for (const look of waiting) look();
    });
  }
  const ended = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, output }));
  });
  const until = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(output);
        if (match !== null) resolve(match);
      };
      waiting.add(look);
      void ended.then(() => reject(new Error(`it ended without ${pattern}:\n${output}`)));
      look();
    });
  const signal = (name: NodeJS.Signals, whom: "alone" | "group" = "alone"): void => {
    // Not child.kill, after which Deno tells of a signal however the child ended.
    if (child.pid !== undefined) process.kill(whom === "group" ? -child.pid : child.pid, name);
  };
  return { signal, ended, until };
}

describe("--once", () => {
  test("does all of it, ends by itself with 0, and prints every expectation", async () => {
    const { code, output } = await run("--once").ended;
    expect(output).not.toContain("NOT ok");
    const expected = /^(\d+) of \1 expectations held$/m.exec(output)?.[1];
    expect(output.match(/^ok /gm)?.length).toBe(Number(expected));
    expect(output).toMatch(/^requests {3}served [1-9]\d*, failed 0/m);
    expect(output).toMatch(/^plugins {4}restarts 11, rollbacks 1$/m);
    expect(output).toMatch(/^system {5}processes alive: none$/m);
    expect(code).toBe(0);
  }, 120_000);

  test("ends with 1 when a request failed and a process is left that the kernel knows nothing of", async () => {
    const { code, output } = await run("--once", "--sabotage", "request", "--sabotage", "orphan").ended;
    expect(output.match(/^NOT ok .*/gm)).toEqual([
      expect.stringContaining(
        "no request of the steady stream failed (/pages/no-such-page.md was answered with 404",
      ),
      expect.stringMatching(/the system shows no process of ours any more \(\d+ .*sleep 60/),
    ]);
    // The kernel's own report is clean: the process was found by looking.
    expect(output).toContain("ok     the kernel reports 10 modules stopped, no orphan, no error");
    expect(code).toBe(1);
  }, 120_000);
});

describe("without --once", () => {
  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s ends it once, with a report and nothing left",
    async (name) => {
      const { signal, ended, until } = run();
      const [, url = ""] = await until(/on (http:\/\/127\.0\.0\.1:\d+)/);
      expect((await get(url, "/pages/README.md")).status).toBe(200);
      signal(name);
      const { code, output } = await ended;
      expect(output).toContain("stopped 10 modules");
      expect(output).toContain("processes that could not be ended: none");
      expect(output).toContain("errors: none");
      expect(code).toBe(0);
      await expect(get(url, "/")).rejects.toThrow();
    },
    60_000,
  );

  test("started by npm it ends with npm's shell, to which alone npm hands a signal on", async () => {
    const line = [process.execPath, ...before, main].map((word) => `'${word}'`).join(" ");
    const { signal, ended, until } = follow("sh", ["-c", `${line}; true`], { npm_lifecycle_event: "start" });
    await until(/on http:/);
    signal("SIGTERM");
    // The output is at its end only when both are gone.
    expect((await ended).output).toContain("stopped 10 modules");
  }, 60_000);

  test("a request that is under way when the signal comes is answered", async () => {
    const { signal, ended, until } = run();
    const [, url = ""] = await until(/on (http:\/\/127\.0\.0\.1:\d+)/);
    const answer = post(url, "/try/kill");
    await until(/module\.failed id=highlight/);
    signal("SIGTERM");
    expect((await answer).status).toBe(200);
    expect((await ended).code).toBe(0);
  }, 60_000);
});

describe("the command line", () => {
  test("--help prints the options", async () => {
    const { code, output } = await run("--help").ended;
    expect([code, output]).toEqual([0, expect.stringContaining("--once")]);
  });

  test.each([[["--nonsense"]], [["--port", "x"]], [["--runtime", "perl"]], [["--sabotage", "orphan"]]])(
    "%j is refused with the usage",
    async (args) => {
      const { code, output } = await run(...args).ended;
      expect([code, output]).toEqual([2, expect.stringContaining("Usage:")]);
    },
  );

  test("a port that is taken is an error and not a hang", async () => {
    const first = run();
    const [, port = ""] = await first.until(/on http:\/\/127\.0\.0\.1:(\d+)/);
    const { code, output } = await run("--port", port).ended;
    expect([code, output]).toEqual([
      1,
      expect.stringContaining(`cannot listen on port ${port} (EADDRINUSE)`),
    ]);
    // A stranger is told what to do, not where it was thrown.
    expect(output).not.toContain("    at ");
    first.signal("SIGTERM");
    expect((await first.ended).code).toBe(0);
  }, 60_000);
});

describe("--runtime", () => {
  const others = runtimeNames.filter((name) => name !== currentRuntime());
  const [one = "node", two = "node"] = others;

  test.each([
    [one, "SIGTERM", "alone"],
    [two, "SIGINT", "alone"],
    [one, "SIGINT", "group"],
    [two, "SIGTERM", "group"],
  ] as const)(
    "%s runs it there, and a %s (%s) ends it once, with 0",
    async (other, name, whom) => {
      const { signal, ended, until } = run("--runtime", other);
      expect((await until(/on http:\S+ \((\w+) /))[1]).toBe(other);
      signal(name, whom);
      const { code, output } = await ended;
      expect(output.match(/stopped 10 modules/g)).toHaveLength(1);
      expect(code).toBe(0);
    },
    60_000,
  );

  test.each([
    [one, "alone"],
    [two, "group"],
  ] as const)(
    "%s: a second SIGINT (%s) ends it at once, with 130",
    async (other, whom) => {
      const { signal, ended, until } = run("--runtime", other);
      const [, url = ""] = await until(/on (http:\/\/127\.0\.0\.1:\d+)/);
      // The shutdown waits for its body, which does not come.
      const { hostname, port } = new URL(url);
      const socket = connect(Number(port), hostname).on("error", () => {});
      socket.write("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n");
      await once(socket, "data");
      signal("SIGINT", whom);
      await until(/SIGINT: shutting down/);
      signal("SIGINT", whom);
      const { code, output } = await ended;
      socket.destroy();
      expect(output).not.toContain("stopped 10 modules");
      expect(code).toBe(130);
    },
    60_000,
  );

  test.each(others)(
    "%s: it shuts down when its launcher was killed with SIGKILL, and its port is free",
    async (other) => {
      const { signal, ended, until } = run("--runtime", other);
      const [, url = ""] = await until(/on (http:\/\/127\.0\.0\.1:\d+)/);
      signal("SIGKILL");
      // The output is at its end only when both are gone.
      const { output } = await ended;
      expect(output).toContain("stopped 10 modules");
      expect(output).toContain("processes that could not be ended: none");
      await expect(get(url, "/")).rejects.toThrow();
    },
    60_000,
  );

  test.each(others)(
    "%s: its exit code is handed on",
    async (other) => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const { code, output } = await run("--runtime", other, "--port", String(port)).ended;
      server.close();
      expect([code, output]).toEqual([1, expect.stringContaining("EADDRINUSE")]);
    },
    60_000,
  );
});

test("what is built is named by the build and nothing is left of its work", async () => {
  const folder = new URL("../dist/", import.meta.url);
  expect((await readdir(folder)).filter((name) => name.startsWith(".build-"))).toEqual([]);
  expect((await readdir(new URL("plugins/", folder))).sort()).toEqual([
    "deep.wasm",
    "endless.wasm",
    "hungry.wasm",
    "reading-1.0.0.wasm",
    "reading-2.0.0.wasm",
    "reading-3.0.0.wasm",
    "stamp",
    "stubborn.wasm",
    "typography.json",
    "typography.wasm",
  ]);
});
