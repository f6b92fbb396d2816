import process from "node:process";
import { isKeelsonError, type Kernel, type ModuleStatus } from "keelson";
import { milliseconds, type Account } from "./account.ts";
import { reading, readingVersion, type ReadingVersion } from "../plugins.ts";
import { render } from "../pipeline.ts";
import { RunawayTrials } from "./runaway-trials.ts";
import { runawayNames } from "./runaways.ts";
import { tryTerminate } from "./terminate.ts";
import type { Traffic } from "../traffic.ts";
import { whenRunning } from "../waiting.ts";

/** Names of the trials that break a plugin, which are also the last part of their addresses. */
export const breakageNames = ["trap", "kill", "replace-broken", "replace-good"] as const;

/** Trials with plugins that do not end by themselves, and with a worker that does not either. */
export const looseNames = [...runawayNames, "crowd", "turns", "terminate"] as const;

export type BreakageName = (typeof breakageNames)[number];
export type LooseName = (typeof looseNames)[number];
export type TrialName = BreakageName | LooseName;

/** Whether there is a trial of this name. */
export function isTrial(name: string): name is TrialName {
  return ([...breakageNames, ...looseNames] as readonly string[]).includes(name);
}

/** Whether a trial lets something loose. */
export function isLoose(name: TrialName): name is LooseName {
  return (looseNames as readonly string[]).includes(name);
}

const TRAP_PAGE = `# A page that makes a plugin trap

The plugin *typography* is WebAssembly. When it meets a code block in the language of the one below, it executes
\`unreachable\`. This page goes out without its work: see the straight quotes "here", and the footer.

\`\`\`press-trap
unreachable
\`\`\`
`;

const RECOVERY_MS = 15_000;

/** Breaks plugins on demand, and looks what becomes of them. Disposing it ends what it listens to. */
export class Trials implements Disposable {
  readonly #kernel: Kernel;
  readonly #listening: Disposable;
  readonly #runaways: RunawayTrials;
  readonly #mark: string;
  #childPid: number | undefined;
  /** Kills and replacements come one after the other, so that each can tell what it did. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(kernel: Kernel, traffic: Traffic, mark: string) {
    this.#kernel = kernel;
    this.#runaways = new RunawayTrials(kernel, traffic);
    this.#mark = mark;
    this.#listening = kernel.bus.on("boundary.highlight.ready", ({ data }) => {
      const { event } = data as unknown as { readonly event: { readonly payload: { readonly pid: number } } };
      this.#childPid = event.payload.pid;
    });
  }

  run(name: TrialName): Promise<Account> {
    switch (name) {
      case "trap":
        return this.#trap();
      case "kill":
        return this.#inTurn(() => this.#kill());
      case "replace-broken":
        return this.#inTurn(() => this.#replaceBroken());
      case "replace-good":
        return this.#inTurn(() => this.#replaceGood());
      case "crowd":
        return this.#runaways.crowd();
      case "turns":
        return this.#runaways.turns();
      case "terminate":
        return this.#inTurn(() => tryTerminate(this.#mark));
      default:
        return this.#runaways.one(name);
    }
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }

  #inTurn(work: () => Promise<Account>): Promise<Account> {
    const account = this.#turn.then(work);
    this.#turn = account.catch(() => {});
    return account;
  }

  async #trap(): Promise<Account> {
    const { clock } = this.#kernel.platform;
    const before = this.#status("typography");
    const page = await render(this.#kernel, "trap", TRAP_PAGE);
    const trapped = page.steps.find(({ id }) => id === "typography")?.skipped;
    const from = clock.now();
    const answer = await this.#kernel
      .invoke("typography", "typeset", `<p>"again"</p>`)
      .catch(() => undefined);
    const after = this.#status("typography");
    const recovered = answer === "<p>“again”</p>";
    return {
      title: "A plugin trapped",
      kept: trapped?.code === "WASM_TRAP" && recovered && after.generation === before.generation,
      story:
        "The plugin typography executed an instruction that must not be reached. Its instance was thrown away, and the next call " +
        "found a new one: a trap ends one call, not the module.",
      facts: [
        { name: "error", value: `${trapped?.code ?? "none"}: ${trapped?.message ?? "it did not trap"}` },
        { name: "generation", value: `${before.generation} before, ${after.generation} after` },
        { name: "restarts", value: after.supervisor?.restarts ?? 0 },
        { name: "instances thrown away after a trap", value: this.#traps() },
        { name: "time to recover", value: recovered ? milliseconds(clock.now() - from) : "it did not" },
      ],
      page,
    };
  }

  async #kill(): Promise<Account> {
    const { clock } = this.#kernel.platform;
    await whenRunning(this.#kernel, "highlight", RECOVERY_MS);
    const before = this.#status("highlight");
    const killed = this.#childPid;
    const from = clock.now();
    const sent = before.state === "running" && killed !== undefined && kill(killed);
    // Recovered is who answers again, and not who has been started.
    const started = sent && (await whenRunning(this.#kernel, "highlight", RECOVERY_MS, before.generation));
    const up = started && (await this.#kernel.invoke("highlight", "health").catch(() => false)) === true;
    const took = clock.now() - from;
    // The child answers in order: behind this, all who waited for it are served, and it may be killed again.
    if (up) await this.#kernel.invoke("highlight", "health").catch(() => {});
    const after = this.#status("highlight");
    return {
      title: "The child process was killed",
      kept: up && this.#childPid !== killed,
      story:
        "The plugin highlight is a child process, and it was sent SIGKILL. Its supervisor saw the end and started it again. Pages that came " +
        "meanwhile waited for it up to two seconds, then went out without colours.",
      facts: [
        { name: "killed", value: killed === undefined ? "nothing" : `process ${killed}` },
        { name: "runs now", value: up ? `process ${this.#childPid}` : "nothing" },
        { name: "generation", value: `${before.generation} before, ${after.generation} after` },
        { name: "restarts", value: after.supervisor?.restarts ?? 0 },
        { name: "time to recover", value: up ? milliseconds(took) : "it did not" },
      ],
    };
  }

  async #replaceBroken(): Promise<Account> {
    const { clock } = this.#kernel.platform;
    const before = this.#status("reading");
    const from = clock.now();
    const error = await this.#kernel.reload("reading", reading("3.0.0")).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const took = clock.now() - from;
    const after = this.#status("reading");
    const refused = isKeelsonError(error, "RELOAD_FAILED");
    const { version } = before.metadata;
    return {
      title: "A broken version was rolled back",
      kept: refused && after.metadata.version === version && after.state === "running",
      story:
        "Version 3.0.0 of the plugin reading starts, but traps at its first call. It was started beside the version that serves, failed its " +
        "health check there, and was ended: it never took a request.",
      facts: [
        { name: "error", value: refused ? `${error.code}: ${reasonOf(error)}` : String(error ?? "none") },
        { name: "version", value: `${version} before, ${after.metadata.version} after` },
        { name: "generation", value: `${before.generation} before, ${after.generation} after` },
        { name: "restarts", value: after.supervisor?.restarts ?? 0 },
        { name: "time to roll back", value: milliseconds(took) },
      ],
    };
  }

  async #replaceGood(): Promise<Account> {
    const { clock } = this.#kernel.platform;
    const before = this.#status("reading");
    const next: ReadingVersion = readingVersion(this.#kernel) === "1.0.0" ? "2.0.0" : "1.0.0";
    const from = clock.now();
    await this.#kernel.reload("reading", reading(next));
    const took = clock.now() - from;
    const after = this.#status("reading");
    return {
      title: "A good version took over",
      kept: after.metadata.version === next && after.state === "running",
      story:
        `Version ${next} of the plugin reading was started beside the one that served, answered a trial page, and took over in one ` +
        "step. The old one ended when its last call had.",
      facts: [
        { name: "version", value: `${before.metadata.version} before, ${after.metadata.version} after` },
        { name: "generation", value: `${before.generation} before, ${after.generation} after` },
        { name: "restarts", value: after.supervisor?.restarts ?? 0 },
        { name: "time to take over", value: milliseconds(took) },
      ],
    };
  }

  #status(id: string): ModuleStatus {
    const status = this.#kernel.list().find(({ metadata }) => metadata.id === id);
    if (status === undefined) throw new RangeError(`Press has no plugin ${id}`);
    return status;
  }

  /** As the kernel's metrics tell it. */
  #traps(): number {
    const series = /^keelson_pool_recycle_total\{([^}]*)\} (\d+)/gm;
    for (const [, labels = "", count] of this.#kernel.metrics.text().matchAll(series)) {
      if (labels.includes('module="typography"') && labels.includes('reason="trap"')) return Number(count);
    }
    return 0;
  }
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself just now.
    return false;
  }
}

function reasonOf(error: Error): string {
  return error.cause instanceof Error ? (error.cause.message.split("\n")[0] ?? "") : error.message;
}
