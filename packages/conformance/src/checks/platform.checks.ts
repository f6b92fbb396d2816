import { ensure, ensureEqual, handled, type Check } from "../check.ts";
import { startChild } from "./child-setup.ts";

/** Turns in which a child's answer has to come in. Deno's immediates let input in once in some sixty. */
const ANSWER_TURNS = 20;
/** Turns after which nobody waits for it any more. */
const LAST_TURN = 500;

/** Waits for a timer of the clock under test. */
function elapse(clock: { after(ms: number, run: () => void): Disposable }, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}

/** Checks of a platform's clock. */
export const clockChecks: readonly Check[] = [
  {
    id: "clock.monotonic",
    title: "now() never goes back, and wall() is the time since 1970",
    async run(subject) {
      const { clock } = subject.platform();
      let last = clock.now();
      for (let n = 0; n < 10_000; n++) {
        const now = clock.now();
        ensure(now >= last, `now() went back from ${last} to ${now}`);
        last = now;
      }
      const begun = clock.wall();
      await elapse(clock, 5);
      ensure(clock.now() > last, "now() stands still while a timer passes");
      ensure(clock.wall() >= begun && clock.wall() - begun < 60_000, "wall() does not go with the time");
      const year = new Date(begun).getUTCFullYear();
      ensure(year >= 2025 && year < 3000, `wall() says the year ${year}`);
    },
  },
  {
    id: "clock.after",
    title: "after() runs its function once, not at once and not early, in the order in which they are due",
    async run(subject) {
      const { clock } = subject.platform();
      const order: string[] = [];
      const begun = clock.now();
      const late = new Promise<number>((resolve) => {
        clock.after(60, () => {
          order.push("late");
          resolve(clock.now() - begun);
        });
      });
      clock.after(1, () => void order.push("soon"));
      clock.after(-5, () => void order.push("negative"));
      ensureEqual(order, [], "what ran before the turn had ended");
      // A timer may be up to a millisecond early by a clock that is finer than it.
      ensure((await late) >= 59, "a timer of 60 ms ran early");
      ensureEqual(order.toSorted(), ["late", "negative", "soon"], "what ran");
      ensureEqual(order.at(-1), "late", "what ran last");
    },
  },
  {
    id: "clock.cancel",
    title: "a disposed timer never runs, and disposing twice or too late is fine",
    async run(subject) {
      const { clock } = subject.platform();
      let ran = 0;
      const cancelled = clock.after(5, () => void ran++);
      cancelled[Symbol.dispose]();
      cancelled[Symbol.dispose]();
      const within = clock.after(10, () => cancelledLater[Symbol.dispose]());
      const cancelledLater = clock.after(30, () => void ran++);
      await elapse(clock, 60);
      ensureEqual(ran, 0, "disposed timers that ran");
      within[Symbol.dispose]();
    },
  },
  {
    id: "clock.long-delays",
    title: "a delay of months or of Infinity does not wrap round and run at once",
    async run(subject, context) {
      const { clock } = subject.platform();
      let ran = 0;
      for (const ms of [2 ** 31, 2 ** 32 + 1, 1e15, Infinity]) {
        const timer = clock.after(ms, () => void ran++, true);
        context.defer(() => timer[Symbol.dispose]());
      }
      await elapse(clock, 20);
      ensureEqual(ran, 0, "timers far away that ran");
    },
  },
  {
    id: "clock.ran",
    title: "ran() grows while the thread computes, and not while it sleeps",
    requires: ["ran"],
    async run(subject) {
      const { clock } = subject.platform();
      const ran = (): number => clock.ran?.() as number;
      const before = ran();
      const begun = clock.now();
      while (ran() - before < 10)
        ensure(clock.now() - begun < 5000, "ran() stood still while the thread ran");
      // What other threads of the program do may count; they are not always busy.
      let least = Infinity;
      for (let time = 0; time < 5 && least >= 20; time++) {
        const asleep = ran();
        await elapse(clock, 40);
        least = Math.min(least, ran() - asleep);
      }
      ensure(least < 20, `ran() grew by ${least} ms in 40 ms of sleep`);
    },
  },
  {
    id: "clock.turn",
    title:
      "turn() runs its function once, after this turn, and lets input in between turns that follow one another",
    requires: ["turn", "processes", "child"],
    async run(subject, context) {
      const { clock } = subject.platform();
      const next = (): Promise<void> => new Promise((resolve) => clock.turn?.(resolve));
      let ran = 0;
      clock.turn?.(() => void ran++);
      await Promise.resolve();
      ensureEqual(ran, 0, "how often it ran before the turn had ended");
      await next();
      await next();
      ensureEqual(ran, 1, "how often it ran");

      const child = await startChild(subject, context, "echo");
      const answers = child.stdout[Symbol.asyncIterator]();
      const waits: number[] = [];
      for (let trip = 0; trip < 9; trip++) {
        let answered = false;
        const answer = handled(answers.next()).then(() => (answered = true));
        await child.write(`${trip}\n`);
        let turns = 0;
        for (; !answered && turns < LAST_TURN; turns++) {
          // Work that fills the thread, as guests do that share it.
          const until = clock.now() + 1;
          while (clock.now() < until);
          await next();
        }
        ensure(answered, `a child's answer did not come in within ${LAST_TURN} turns`);
        await answer;
        waits.push(turns);
      }
      // Half of them: the system may keep a child from its core for some turns.
      const median = waits.toSorted((one, other) => one - other)[4] as number;
      ensure(median <= ANSWER_TURNS, `a child's answer came in after ${waits.join(", ")} turns`);
    },
  },
];

/** Checks of a platform's random numbers. */
export const randomChecks: readonly Check[] = [
  {
    id: "random.number",
    title: "number() is at least 0, less than 1, and spread over the range",
    async run(subject) {
      const { random } = subject.platform();
      const buckets = Array.from({ length: 10 }, () => 0);
      for (let n = 0; n < 10_000; n++) {
        const number = random.number();
        ensure(number >= 0 && number < 1, `number() gave ${number}`);
        const bucket = Math.floor(number * 10);
        buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      }
      // 1,000 each are expected, with a deviation of 30.
      ensure(Math.min(...buckets) > 700, `number() favours parts of its range: ${buckets.join(", ")}`);
    },
  },
  {
    id: "random.id",
    title: "ids are unique, also those of another platform object, and made of letters, digits and dashes",
    async run(subject) {
      const [one, two] = [subject.platform().random, subject.platform().random];
      const seen = new Set<string>();
      for (let n = 0; n < 5_000; n++) {
        for (const random of [one, two]) {
          const id = random.id();
          ensure(/^[A-Za-z0-9-]{8,64}$/.test(id), `the id ${JSON.stringify(id)} is not well formed`);
          seen.add(id);
        }
      }
      ensureEqual(seen.size, 10_000, "different ids");
    },
  },
];

/** Checks of a platform's log. */
export const logChecks: readonly Check[] = [
  {
    id: "log.never-throws",
    title: "write() takes any level, text and fields, hostile ones too, and never throws",
    async run(subject) {
      const { log } = subject.platform();
      const circle: Record<string, unknown> = {};
      circle["self"] = circle;
      const hostile: Readonly<Record<string, unknown>>[] = [
        { circle, big: 1n, symbol: Symbol("s"), absent: undefined, run: () => 1 },
        {
          get thrower(): never {
            throw new Error("on purpose");
          },
        },
        {
          json: {
            toJSON(): never {
              throw new Error("on purpose");
            },
          },
          text: {
            toString(): never {
              throw new Error("on purpose");
            },
          },
        },
        { error: new Error("on purpose", { cause: circle }), nothing: Object.create(null) as unknown },
      ];
      for (const level of ["debug", "info", "warn", "error"] as const) {
        log.write(level, `a record of the conformance suite: ${level}`);
        for (const fields of hostile) log.write("debug", "\u001b[31mhostile\r\n", fields);
      }
    },
  },
];
