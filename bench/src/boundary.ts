import { performance } from "node:perf_hooks";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createKernel, platform, processModule } from "keelson";
import { createLineReader } from "../../packages/core/src/primitives/json-lines.ts";
import { type BareProcess, spawnBare } from "./bare-process.ts";
import { findPlacement, type Placement } from "./placement.ts";
import { alternate, type Claim, type Contender, OURS, progress, type Task, timing } from "./measure.ts";

const SPLIT = "chunk split and JSON.parse";
const BARE = "the runtime's own API";
const DETACHED = "the runtime's own API, detached";
const ATTACHED = "the same, in the host's own session";

/** Reading JSON lines, talking to a child, starting and ending children, each beside the least that does it. */
export async function benchBoundary(rounds: number): Promise<readonly Task[]> {
  const few = Math.ceil(rounds / 3);
  const rate = (against: string): readonly Claim[] => [
    { against: [against], kind: "at least", target: 0.85 },
  ];
  const tasks: Task[] = [await jsonLines(rounds)];
  // A child on its host's processor answers one call in a third of the time that one on another takes, which has to be woken. Left to the
  // system, each contender's child has now this and now that, for seconds.
  const placement = findPlacement();
  const [own = 0, other = 0] = placement?.processors ?? [];
  placement?.moveTo([other]);
  const talk = await openTalk();
  try {
    const ways = placement === undefined ? [""] : [", on one processor", ", on two processors"];
    for (const inFlight of [1, 64]) {
      for (const [at, way] of ways.entries()) {
        placement?.moveTo(at === 0 ? [other] : [own]);
        const task = `stdio round trip, ${inFlight} in flight${way}`;
        const contenders = [talk.bare(inFlight), talk.ours(inFlight)];
        // A round of single trips is short: the engine compiles for a hundred of them, on the processor where they run.
        const [times, warm] = inFlight === 1 ? [160, 120] : [1280, rounds];
        const turns = { rounds: 4 * rounds, times, warm };
        tasks.push(await alternate(task, contenders, turns, rate(BARE)));
      }
    }
  } finally {
    placement?.moveTo(placement.processors);
    await talk.close();
  }
  tasks.push(await firstEvents("spawn to first event, this runtime", hostCommand, 2 * few));
  if (placement === undefined) tasks.push(await firstEvents("spawn to first event, sh", shell, 6 * few));
  else tasks.push(...(await firstEventsByPlace("spawn to first event, sh", shell, 6 * few, placement)));
  tasks.push(await endings(Math.ceil(few / 2)));
  return tasks;
}

// Lines.

async function jsonLines(rounds: number): Promise<Task> {
  const encoder = new TextEncoder();
  const line = (n: number): string =>
    `${JSON.stringify({ reply_id: String(n), result: { title: `page ${n}`, tags: ["a", "b"], size: n * 17, draft: false } })}\n`;
  const count = 5000;
  const bytes = encoder.encode(Array.from({ length: count }, (_, n) => line(n)).join(""));
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 65_536) chunks.push(bytes.subarray(at, at + 65_536));
  let read = 0;
  const take = (text: string): void => {
    if ((JSON.parse(text) as { reply_id: string }).reply_id.length > 0) read++;
  };
  const check = (): void => {
    if (read !== count) throw new Error(`${read} lines instead of ${count}`);
    read = 0;
  };
  const ours: Contender = {
    name: OURS,
    run() {
      const reader = createLineReader({ onLine: take });
      for (const chunk of chunks) reader.push(chunk);
      reader.end();
      check();
    },
  };
  const split: Contender = {
    name: SPLIT,
    run() {
      const decoder = new TextDecoder();
      let rest = "";
      for (const chunk of chunks) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop() as string;
        for (const text of lines) take(text);
      }
      check();
    },
  };
  return alternate("JSON lines read", [split, ours], { rounds, times: count }, [
    { against: [SPLIT], kind: "at least", target: 0.95 },
  ]);
}

// Talk.

type Command = readonly [command: string, ...args: string[]];

const echo = fileURLToPath(new URL("children/echo.mjs", import.meta.url));
const hostCommand: Command =
  "Deno" in globalThis ? [process.execPath, "run", "-A", echo] : [process.execPath, echo];

const READY = `{"event_id":"1","source":"module","timestamp_ms":0,"module":"sh","event_type":"ready","payload":null}`;
const shell: Command = ["sh", "-c", `echo '${READY}'; exec cat`];

interface Talk {
  ours(inFlight: number): Contender;
  bare(inFlight: number): Contender;
  close(): Promise<void>;
}

const payload = { text: "a small page", n: 42 };

function talker(name: string, inFlight: number, ask: () => Promise<unknown>): Contender {
  const task = async (times: number): Promise<void> => {
    for (let n = 0; n < times; n++) {
      const { n: answer } = (await ask()) as typeof payload;
      if (answer !== payload.n) throw new Error("wrong");
    }
  };
  return {
    name,
    run: async (times) =>
      void (await Promise.all(Array.from({ length: inFlight }, () => task(times / inFlight)))),
  };
}

/** One child each, kept for all rounds: the same program, started in the same way. */
async function openTalk(): Promise<Talk> {
  const kernel = await createKernel();
  const [command, ...args] = hostCommand;
  await kernel.register(processModule({ id: "echo", command, args }));
  await kernel.start();
  const { ask, child } = await openBare();
  return {
    ours: (inFlight) => talker(OURS, inFlight, () => kernel.invoke("echo", "echo", payload)),
    bare: (inFlight) => talker(BARE, inFlight, ask),
    async close() {
      child.kill();
      await kernel.shutdown();
      await child.exited;
    },
  };
}

/** Requests and replies by number over the bare API: what a host would write that wants no more than that. */
async function openBare(): Promise<{ ask(): Promise<unknown>; child: BareProcess }> {
  const [command, ...args] = hostCommand;
  const child = spawnBare(command, args, { detached: true });
  const waiting = new Map<string, (result: unknown) => void>();
  const decoder = new TextDecoder();
  let rest = "";
  let count = 0;
  await new Promise<void>((ready) => {
    child.read((chunk) => {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() as string;
      for (const line of lines) {
        const message = JSON.parse(line) as { reply_id?: string; result?: unknown };
        if (message.reply_id === undefined) {
          ready();
          continue;
        }
        const settle = waiting.get(message.reply_id);
        waiting.delete(message.reply_id);
        settle?.(message.result);
      }
    });
  });
  const ask = (): Promise<unknown> => {
    const request_id = String(++count);
    child.write(`${JSON.stringify({ request_id, method: "echo", payload })}\n`);
    return new Promise((resolve) => void waiting.set(request_id, resolve));
  };
  return { ask, child };
}

// Beginnings and ends: only a part of each turn is timed, so that the turns are taken by hand.

/**
 * Whether host and child share a processor is most of what a start takes beside the least that could be done, and the system decides it
 * anew each time. So both are measured: held on one processor, and where the child of a start came up on the other one; a start
 * whose child did not is made again.
 */
async function firstEventsByPlace(
  task: string,
  command: Command,
  rounds: number,
  placement: Placement,
): Promise<readonly Task[]> {
  const [, other = 0] = placement.processors;
  placement.moveTo([other]);
  try {
    const near = await firstEvents(`${task}, on one processor`, command, rounds);
    placement.moveTo(placement.processors);
    const isWanted = (): boolean => !placement.childIsNear();
    return [near, await firstEvents(`${task}, on two processors`, command, rounds, isWanted)];
  } finally {
    placement.moveTo(placement.processors);
  }
}

/** Starts of one kind are made again at most so often until one is as it is wanted. */
const ATTEMPTS = 50;

/** @param isWanted asked once the child is up, and has sent its first event */
async function firstEvents(
  task: string,
  [command, ...args]: Command,
  rounds: number,
  isWanted: () => boolean = () => true,
): Promise<Task> {
  await using kernel = await createKernel();
  await kernel.register(processModule({ id: "child", command, args, graceMs: 0 }));
  const ours = async (): Promise<number | undefined> => {
    const begin = performance.now();
    await kernel.start("child");
    const taken = performance.now() - begin;
    const wanted = isWanted();
    await kernel.stop("child");
    return wanted ? taken : undefined;
  };
  const bare = async (detached: boolean): Promise<number | undefined> => {
    const begin = performance.now();
    const child = spawnBare(command, args, { detached });
    let text = "";
    const decoder = new TextDecoder();
    await new Promise<void>((resolve) => {
      child.read((chunk) => {
        if (text.includes("\n")) return;
        text += decoder.decode(chunk, { stream: true });
        const end = text.indexOf("\n");
        if (end === -1) return;
        if ((JSON.parse(text.slice(0, end)) as { event_type: string }).event_type === "ready") resolve();
      });
    });
    const taken = performance.now() - begin;
    const wanted = isWanted();
    child.kill();
    await child.exited;
    return wanted ? taken : undefined;
  };
  const untilWanted = async (start: () => Promise<number | undefined>): Promise<number> => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const taken = await start();
      if (taken !== undefined) return taken;
    }
    throw new Error(`the child never came up on the other processor, in ${ATTEMPTS} starts`);
  };
  return await inTurns(
    task,
    rounds,
    1,
    [
      [DETACHED, () => untilWanted(() => bare(true))],
      [ATTACHED, () => untilWanted(() => bare(false))],
      [OURS, () => untilWanted(ours)],
    ],
    [{ against: [DETACHED], kind: "at most", target: 1.15 }],
  );
}

const CHILDREN = 200;
const QUIET: Command = ["sleep", "1000"];

async function endings(rounds: number): Promise<Task> {
  const { processes } = platform();
  if (processes === undefined) throw new Error("this platform starts no processes");
  const [command, ...args] = QUIET;
  const ours = async (): Promise<number> => {
    const children = await Promise.all(
      Array.from({ length: CHILDREN }, () => processes.spawn(command, args, {})),
    );
    const begin = performance.now();
    const reports = await Promise.all(children.map((child) => child.terminate({ graceMs: 0 })));
    const taken = performance.now() - begin;
    if (reports.some(({ ended }) => ended.length !== 1)) throw new Error("some were not ended");
    return taken;
  };
  const modules = async (): Promise<number> => {
    await using kernel = await createKernel();
    const [sh, ...words] = shell;
    for (let n = 0; n < CHILDREN; n++) {
      await kernel.register(processModule({ id: `child-${n}`, command: sh, args: words, graceMs: 0 }));
    }
    await kernel.start();
    const begin = performance.now();
    await kernel.stop();
    return performance.now() - begin;
  };
  const bare = async (detached: boolean): Promise<number> => {
    const children = Array.from({ length: CHILDREN }, () => spawnBare(command, args, { detached }));
    const begin = performance.now();
    for (const child of children) child.kill();
    await Promise.all(children.map(({ exited }) => exited));
    return performance.now() - begin;
  };
  return inTurns(
    `${CHILDREN} children killed and reaped`,
    rounds,
    CHILDREN,
    [
      [DETACHED, () => bare(true)],
      [ATTACHED, () => bare(false)],
      [OURS, ours],
      ["keelson, as modules of a kernel", modules],
    ],
    [{ against: [DETACHED], kind: "at most", target: 1.3 }],
  );
}

/** A round starts one child, or a few hundred: engines have seen the code often enough to compile it after about this time. */
const WARM_MS = 1000;

async function inTurns(
  task: string,
  rounds: number,
  pieces: number,
  contenders: readonly (readonly [name: string, run: () => Promise<number>])[],
  claims: readonly Claim[],
): Promise<Task> {
  const taken = contenders.map((): number[] => []);
  const warmBy = performance.now() + WARM_MS;
  for (let round = -Math.ceil(rounds / 3); round < rounds; round++) {
    if (round === 0 && performance.now() < warmBy) round = -1;
    progress(`${task}: round ${round + 1} of ${rounds}`);
    for (const [at, [, run]] of contenders.entries()) {
      const ms = await run();
      if (round >= 0) taken[at]?.push((ms * 1e6) / pieces);
    }
  }
  return { task, timings: contenders.map(([name], at) => timing(name, taken[at] as number[])), claims };
}
