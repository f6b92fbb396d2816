import { isKeelsonError, type Kernel, type KeelsonError, usageOf } from "keelson";
import { milliseconds, type Account, type Fact } from "./account.ts";
import { Heartbeat } from "./heartbeat.ts";
import { render } from "../pipeline.ts";
import { canShare, runaways, SHARING, TURNS, type RunawayName } from "./runaways.ts";
import type { Traffic } from "../traffic.ts";

/** Runaways that are let loose at once. */
export const CROWD = 100;

const PAGE = `# A page meanwhile

"It goes on..."
`;

/** What the details of a stop tell. */
interface StopDetails {
  readonly refusedMemoryGrowths?: number;
}

/** Lets plugins loose that never end by themselves, and looks what becomes of them and of everybody else. */
export class RunawayTrials {
  readonly #kernel: Kernel;
  readonly #traffic: Traffic;

  constructor(kernel: Kernel, traffic: Traffic) {
    this.#kernel = kernel;
    this.#traffic = traffic;
  }

  /** One of them, once. */
  async one(name: RunawayName): Promise<Account> {
    const { title, story, code } = runaways[name];
    const { value: error, facts } = await this.#beside(() => this.#letLoose(name));
    const again = await this.#ping(name);
    const refused = error?.code === "MODULE_QUARANTINED";
    return {
      title: refused ? "It was refused: it has been stopped too often" : title,
      kept: refused || error?.code === code,
      story: refused
        ? `The plugin ${name} was stopped three times within ten seconds, so its calls are refused at once for a while, and cost nothing.`
        : story,
      facts: [
        {
          name: "error",
          value: error === undefined ? "none: it ended" : `${error.code}: ${firstLine(error)}`,
        },
        ...usageFacts(error),
        ...facts,
        { name: "a good call afterwards", value: again },
      ],
    };
  }

  /** A hundred endless loops at once, each of which holds the thread while it runs. */
  async crowd(): Promise<Account> {
    const { kept, facts } = await this.#many("endless", CROWD);
    return {
      title: `${CROWD} runaways at once were stopped`,
      kept,
      story:
        `The plugin endless was called ${CROWD} times at once. At its third stop within ten seconds, earlier ones counted, it came into quarantine, and the other calls ` +
        "were refused before they began.",
      facts,
    };
  }

  /** Endless loops at once that share the thread in slices of time. */
  async turns(): Promise<Account> {
    const { platform } = this.#kernel;
    if (!canShare(this.#kernel)) {
      const reason = platform.reasons["jspi"] ?? "the platform does not say why";
      return {
        title: "Guests cannot take turns here",
        kept: true,
        story: `A guest shares the thread by being suspended, which ${platform.name} cannot do: ${reason}.`,
        facts: [],
      };
    }
    const { kept, facts } = await this.#many(SHARING, TURNS);
    return {
      title: `${TURNS} runaways took turns and were stopped`,
      kept,
      story:
        `The plugin ${SHARING} is the same endless loop, but its calls are suspended after each slice of time. All ${TURNS} ran beside one another and ` +
        "beside everything else, so nobody waited for one of them to be stopped.",
      facts,
    };
  }

  async #many(
    id: string,
    count: number,
  ): Promise<{ readonly kept: boolean; readonly facts: readonly Fact[] }> {
    const { clock } = this.#kernel.platform;
    const from = clock.now();
    const { value: errors, facts } = await this.#beside(() =>
      Promise.all(Array.from({ length: count }, () => this.#letLoose(id))),
    );
    const took = clock.now() - from;
    const counts = new Map<string, number>();
    for (const error of errors) {
      const code = error?.code ?? "none: it ended";
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    const spent = errors.reduce((sum, error) => sum + (usageOf(error)?.cpuMs ?? 0), 0);
    return {
      kept: errors.every(
        (error) => error?.code === "DEADLINE_EXCEEDED" || error?.code === "MODULE_QUARANTINED",
      ),
      facts: [
        ...[...counts].map(([code, times]) => ({ name: code, value: `${times} times` })),
        { name: "running time of all", value: `${milliseconds(spent)}, in ${milliseconds(took)}` },
        ...facts,
      ],
    };
  }

  /** The error of a call that cannot end well. */
  async #letLoose(id: string): Promise<KeelsonError | undefined> {
    try {
      await this.#kernel.invoke(id, "run");
      return undefined;
    } catch (error) {
      if (isKeelsonError(error)) return error;
      throw error;
    }
  }

  /** Runs `work` while a heart beats, a page is made, and the other requests are counted. */
  async #beside<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly facts: readonly Fact[] }> {
    const heart = new Heartbeat();
    const { answered } = this.#traffic;
    try {
      const page = this.#makePage();
      const value = await work();
      const made = await page;
      await heart.stop();
      return { value, facts: [...made, others(this.#traffic.answered - answered), gap(heart)] };
    } catch (error) {
      await heart.stop();
      throw error;
    }
  }

  async #makePage(): Promise<readonly Fact[]> {
    const { clock } = this.#kernel.platform;
    const from = clock.now();
    const { steps } = await render(this.#kernel, "meanwhile", PAGE);
    const whole = steps.every(({ skipped }) => skipped === undefined);
    const took = milliseconds(clock.now() - from);
    return [{ name: "a page made meanwhile", value: `${whole ? "whole" : "not whole"}, in ${took}` }];
  }

  async #ping(name: RunawayName): Promise<string> {
    const { clock } = this.#kernel.platform;
    const from = clock.now();
    try {
      const { value, usage } = await this.#kernel.measure(name, "ping");
      return `${String(value)}, in ${milliseconds(clock.now() - from)} with ${usage?.fuel ?? 0} fuel`;
    } catch (error) {
      return isKeelsonError(error) ? `refused: ${error.code}` : "failed";
    }
  }
}

function usageFacts(error: KeelsonError | undefined): Fact[] {
  const usage = usageOf(error);
  const refusals = (error?.details as StopDetails | undefined)?.refusedMemoryGrowths;
  if (usage === undefined) return [];
  return [
    { name: "fuel", value: `${usage.fuel.toLocaleString("en")} units` },
    { name: "running time", value: milliseconds(usage.cpuMs) },
    { name: "memory at its peak", value: mebibytes(usage.memoryPeakBytes) },
    ...(refusals === undefined
      ? []
      : [{ name: "growth refused", value: `${refusals.toLocaleString("en")} times` }]),
  ];
}

function mebibytes(bytes: number): string {
  return bytes === 0 ? "it has none" : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function others(answered: number): Fact {
  return { name: "other requests meanwhile", value: `${answered} answered` };
}

function gap({ beats, largestGapMs }: Heartbeat): Fact {
  return {
    name: "heartbeat",
    value: `${beats} ${beats === 1 ? "beat" : "beats"}, the largest gap ${milliseconds(largestGapMs)}`,
  };
}

function firstLine({ message }: KeelsonError): string {
  return message.split("\n", 1)[0] ?? "";
}
