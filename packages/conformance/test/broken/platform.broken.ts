import { KeelsonError, type Bytes, type Process } from "@keelson/core";
import {
  breakChildren,
  breakClock,
  breakFiles,
  breakPlatform,
  breakProcesses,
  breakRandom,
  breakSpawn,
  type Breaking,
} from "./breaking.ts";

export const brokenClocks: Readonly<Record<string, Breaking>> = {
  // the time of day, which jumps
  "clock.monotonic": breakClock((clock) => {
    let reads = 0;
    return { now: () => (++reads % 1000 === 0 ? clock.now() - 50 : clock.now()) };
  }),
  // at once when it is not far
  "clock.after": breakClock((clock) => ({
    after(ms, run, background) {
      if (ms > 1) return clock.after(ms, run, background);
      run();
      return { [Symbol.dispose]() {} };
    },
  })),
  "clock.cancel": breakClock((clock) => ({
    after(ms, run, background) {
      const timer = clock.after(ms, run, background);
      return ms > 100 ? timer : { [Symbol.dispose]() {} };
    },
  })),
  // the delay as the runtimes' own timers take it: in 32 bits
  "clock.long-delays": breakClock((clock) => ({
    after: (ms, run, background) => clock.after(ms | 0, run, background),
  })),
  // the wall's time
  "clock.ran": breakClock((clock) => ({ ran: () => clock.now() })),
  // later, but in this turn: nothing comes in while such turns follow one another
  "clock.turn": breakClock(() => ({
    turn: (run) => void Promise.resolve().then(() => queueMicrotask(run)),
  })),
};

export const brokenRandoms: Readonly<Record<string, Breaking>> = {
  "random.number": breakRandom((random) => ({ number: () => random.number() ** 2 })),
  // counts
  "random.id": breakRandom(() => {
    let count = 0;
    return { id: () => `process-${++count}` };
  }),
};

export const brokenLogs: Readonly<Record<string, Breaking>> = {
  "log.never-throws": breakPlatform(() => ({
    log: { write: (_, message, fields) => void JSON.stringify({ message, ...fields }) },
  })),
};

const noent = (): Error => Object.assign(new Error("ENOENT: no such file or directory"), { code: "ENOENT" });

export const brokenFiles: Readonly<Record<string, Breaking>> = {
  "files.round-trip": breakFiles((files) => ({
    async write(file, bytes) {
      const before = await files.read(file).catch(() => new Uint8Array(0));
      const appended = new Uint8Array(before.length + bytes.length);
      appended.set(before);
      appended.set(bytes, before.length);
      await files.write(file, appended);
    },
  })),
  "files.missing": breakFiles((files) => ({
    read: (file) => files.read(file).catch(() => new Uint8Array(0)),
  })),
  "files.native-errors-stay-below": breakFiles((files) => ({
    read: (file) =>
      files.read(file).catch((error: unknown) => {
        if (error instanceof KeelsonError && error.code !== "NOT_FOUND") throw noent();
        throw error;
      }),
  })),
  "files.list-and-remove": breakFiles((files) => ({
    list: async (folder) => [...(await files.list(folder))].toReversed(),
  })),
  // written in place, half by half
  "files.whole-or-nothing": breakFiles((files) => ({
    async write(file, bytes) {
      const mixed = await files.read(file).catch((): Bytes => bytes.slice());
      mixed.set(bytes.subarray(0, bytes.length / 2));
      await files.write(file, mixed);
      await files.write(file, bytes);
    },
  })),
  "files.names": breakFiles(() => ({ resolve: (path) => new URL(`file://${path}`) })),
  "files.real-follows-links": breakFiles(() => ({ real: async (file) => file })),
};

const ended = { ended: [], orphans: [] } as const;

export const brokenProcesses: Readonly<Record<string, Breaking>> = {
  // through a shell, as it were: it starts, and ends with 127
  "processes.spawn-fails": breakProcesses((processes) => ({
    spawn: (command, args, options) =>
      processes.spawn(command, args, options).catch(async () => {
        const exited = Promise.resolve({ code: 127 });
        const nothing = (async function* () {})();
        return {
          pid: 0,
          stdout: nothing,
          stderr: nothing,
          exited,
          write() {},
          closeStdin() {},
          terminate: async () => ended,
          [Symbol.asyncDispose]: async () => {},
        };
      }),
  })),
  // drops what was written when the input is closed at once
  "processes.stdio": breakChildren((child) => {
    let bytes = 0;
    return { write: (chunk) => ((bytes += chunk.length) > 1000 ? undefined : child.write(chunk)) };
  }),
  "processes.exit": breakChildren((child) => ({
    exited: child.exited.then(({ code }) => ({ code: code ?? 0 })),
  })),
  "processes.environment": breakSpawn(({ options }) => ({
    options: { ...options, env: { ...options.env, HOST_SECRET: "leaked" } },
  })),
  // an output that ends at a limit
  "processes.large-output": breakChildren((child) => ({
    stdout: (async function* () {
      let bytes = 0;
      for await (const chunk of child.stdout) {
        if ((bytes += chunk.byteLength) > 1_000_000) return;
        yield chunk;
      }
    })(),
  })),
  "processes.back-pressure": breakChildren((child) => ({
    write: (chunk) => void Promise.resolve(child.write(chunk)).catch(() => {}),
  })),
  "processes.asked-first": breakChildren((child) => ({ terminate: () => child.terminate({ graceMs: 0 }) })),
  // asks, and reports what was to be
  "processes.deaf-killed": breakChildren((child) => ({
    async terminate(options) {
      if (options?.graceMs === 0) return child.terminate(options);
      child.closeStdin();
      return { ended: [{ pid: child.pid, command: "" }], orphans: [] };
    },
  })),
  "processes.dispose": breakChildren(() => ({ [Symbol.asyncDispose]: async () => {} })),
  // the child, and nothing of what it started
  "processes.tree-ended": breakChildren(reportsAlone),
  "processes.daemon-ended": breakChildren(reportsAlone),
  "processes.reclaim-spares-the-living": reclaimsAll(),
  "processes.errors-have-codes": breakProcesses((processes) => ({
    spawn: (command, args, options) =>
      processes.spawn(command, args, options).catch((error: unknown) => {
        throw command === "" || command.includes("\0") ? new TypeError("ERR_INVALID_ARG_VALUE") : error;
      }),
  })),
};

/** Ends all, so that a test leaves nothing, but says and knows of the child alone. */
function reportsAlone(child: Parameters<Parameters<typeof breakChildren>[0]>[0]): {
  terminate: typeof child.terminate;
} {
  return {
    async terminate(options) {
      const report = await child.terminate(options);
      return { ...report, ended: report.ended.filter(({ pid }) => pid === child.pid) };
    },
  };
}

/** Takes every child for one that was left behind. */
function reclaimsAll(): Breaking {
  const children: Process[] = [];
  return breakProcesses((processes) => ({
    async spawn(command, args, options) {
      const child = await processes.spawn(command, args, options);
      children.push(child);
      return child;
    },
    async reclaim() {
      await Promise.all(children.map((child) => child.terminate({ graceMs: 0 })));
      return { ended: children.map(({ pid }) => ({ pid, command: "" })), orphans: [] };
    },
  }));
}
