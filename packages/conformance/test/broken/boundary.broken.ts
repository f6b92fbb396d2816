import type { Bytes, Kernel, Log, Value } from "@keelson/core";
import process from "node:process";
import { handled } from "../../src/check.ts";
import { breakChildren, breakKernel, breakProcesses, breakSpawn, type Breaking } from "./breaking.ts";

/** What the child says, changed on the way. */
function breakOutput(change: (text: string) => string): Breaking {
  return breakChildren((child) => ({
    stdout: (async function* () {
      const decoder = new TextDecoder("latin1");
      const latin1 = (text: string): Bytes => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
      for await (const chunk of child.stdout) yield latin1(change(decoder.decode(chunk)));
    })(),
  }));
}

/** What the kernel answers, changed. */
function breakAnswers(
  change: (answer: Promise<Value>, kernel: Kernel, method: string) => Promise<Value>,
): Breaking {
  return breakKernel((kernel) => ({
    invoke: (id, method, payload, options) =>
      change(kernel.invoke(id, method, payload, options), kernel, method),
  }));
}

/** What the child is sent. */
function textOf(chunk: Bytes | string): string {
  return typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk);
}

const silent: AsyncIterable<Bytes> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
};

export const brokenBoundaries: Readonly<Record<string, Breaking>> = {
  // everything as JSON has it
  "boundary.life": breakAnswers(async (answer) => {
    const value = await answer;
    return typeof value === "object"
      ? (JSON.parse(
          JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner)),
        ) as Value)
      : value;
  }),
  // whoever asked first gets the first answer
  "boundary.calls-in-flight": breakKernel((kernel) => {
    let before: Promise<Value> = Promise.resolve(0);
    return {
      invoke(id, method, payload, options) {
        const answer = before;
        // nobody ever asks for the last one
        before = handled(kernel.invoke(id, method, payload, options));
        return answer;
      },
    };
  }),
  // standard error is thrown away
  "boundary.early-exit-reports-stderr": breakChildren(() => ({ stderr: silent })),
  "boundary.bad-start": breakProcesses((processes) => ({
    spawn: (command, args, options) =>
      processes.spawn(command, args, options).catch(() => processes.spawn("true", [], {})),
  })),
  // what was asked is not told of the end
  "boundary.crash-restarts": breakAnswers((answer, _, method) =>
    method === "crash" ? answer.catch(() => null) : answer,
  ),
  // mends bytes without a word
  "boundary.noise-harmless": breakOutput((text) => text.replaceAll("\u00ff", "?")),
  "boundary.errors-and-cancels": breakChildren((child) => ({
    write: (chunk) => (textOf(chunk).includes("cancel_id") ? undefined : child.write(chunk)),
  })),
  // answers to the child are lost
  "boundary.child-calls": breakChildren((child) => ({
    write: (chunk) => child.write(textOf(chunk).replace(/"result":42/g, '"result":43')),
  })),
  "boundary.environment": breakSpawn(({ options }) => ({
    options: { ...options, env: { ...options.env, BOTH: "env" } },
  })),
  // without whose they are
  "boundary.stderr-is-log": (subject) => ({
    ...subject,
    createKernel({ platform, ...options }) {
      const log: Log = { write: (level, message) => platform.log.write(level, message) };
      return subject.createKernel({ ...options, platform: { ...platform, log } });
    },
  }),
  // drops what does not fit, and says it was answered
  "boundary.deaf-child": breakAnswers((answer) =>
    answer.catch((error: unknown) => {
      if ((error as { code?: string }).code === "QUEUE_FULL") return null;
      throw error;
    }),
  ),
  // as if the child lived on: what it calls itself is alive
  "boundary.run-once": breakOutput((text) => text.replace(/"pid":\d+/, `"pid":${process.pid}`)),
};
