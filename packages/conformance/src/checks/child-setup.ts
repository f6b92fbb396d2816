import type { Bytes, Process, Processes } from "@keelson/core";
import { ensure, ensureEqual, type CheckContext } from "../check.ts";
import { childCommand } from "../program.ts";
import type { Subject } from "../subject.ts";

/** The port under test; the check must require "processes". */
export function processesOf(subject: Subject): Processes {
  const { processes } = subject.platform();
  if (processes === undefined) throw new TypeError("the platform supports processes and has none");
  return processes;
}

/** Starts a scenario of the child program; ended when the check ends. */
export async function startChild(
  subject: Subject,
  context: CheckContext,
  ...words: readonly string[]
): Promise<Process> {
  const { command, args } = childCommand(subject, ...words);
  const child = await processesOf(subject).spawn(command, args, {});
  context.defer(() => child.terminate({ graceMs: 0 }));
  return child;
}

/** All that comes out of a pipe, as text. */
export async function readAll(pipe: AsyncIterable<Bytes>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of pipe) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** The first line of a pipe; the rest is left in it. */
export async function firstLine(pipe: AsyncIterable<Bytes>): Promise<string> {
  const chunks = pipe[Symbol.asyncIterator]();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const next = await chunks.next();
    if (next.done === true) break;
    text += decoder.decode(next.value, { stream: true });
  }
  return text.split("\n")[0] ?? "";
}

/** Which of these processes live, by a look from another process; a zombie does not. */
export async function lives(
  subject: Subject,
  context: CheckContext,
  ...pids: readonly number[]
): Promise<readonly boolean[]> {
  const looker = await startChild(subject, context, "alive", ...pids.map(String));
  return JSON.parse(await readAll(looker.stdout)) as boolean[];
}

/** Fails unless all of these are surely gone. */
export async function ensureGone(
  subject: Subject,
  context: CheckContext,
  what: string,
  ...pids: readonly number[]
): Promise<void> {
  ensureEqual(
    await lives(subject, context, ...pids),
    pids.map(() => false),
    `${what}: which of ${pids.join(", ")} live`,
  );
}

/**
 * Starts a scenario whose child prints the pid of a process that it has started, and ends the child. Fails unless that process is ended as well, and
 * reported.
 *
 * @param what names that process in messages
 */
export async function ensureEndedToo(
  subject: Subject,
  context: CheckContext,
  scenario: string,
  what: string,
): Promise<void> {
  const child = await startChild(subject, context, scenario);
  const started = Number(await firstLine(child.stdout));
  ensureEqual(await lives(subject, context, started), [true], `whether the ${what} lives before`);
  const { ended, orphans } = await child.terminate({ graceMs: 20 });
  ensureEqual(orphans, [], "orphans");
  ensure(
    ended.some(({ pid }) => pid === started),
    `the report does not name the ${what}`,
  );
  await ensureGone(subject, context, "after the end", child.pid, started);
}
