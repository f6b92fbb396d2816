import {
  KeelsonError,
  type Clock,
  type Instance,
  type Log,
  type MaybePromise,
  type ModuleContext,
  type Platform,
} from "@keelson/core";
import { childProgram } from "../programs.ts";
import type { ModuleShape } from "../abi/profile.ts";
import type { Outline } from "../binary/outline.ts";
import type { Tally } from "../governor/tally.ts";
import type { HostImports } from "../instance/link.ts";
import { ChildLine } from "./child-line.ts";
import { Crew } from "./crew.ts";
import { HostCalls } from "./host-calls.ts";
import type { IsolationSettings } from "./isolation.ts";
import { IsolatedInstance, type Opened, type StopManners } from "./isolated-instance.ts";
import type { Line } from "./line.ts";
import { writeLoad, type LogMessage, type Plan } from "./messages.ts";
import { HEAD_BYTES } from "./frames.ts";
import { ThreadLine } from "./thread-line.ts";

/** What the guest's side is made from. */
export interface IsolatedCode {
  readonly plan: Plan;
  readonly module: WebAssembly.Module;
  readonly outline: Outline | undefined;
  /** What was compiled; needed by "process" alone. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
  readonly shape: ModuleShape;
  /** What the host itself provides. */
  readonly imports: HostImports | undefined;
}

// A thread cannot be ended but by its flag. A child can, and what it was in the midst of is lost with it. A guest that looks at the time itself gets a
// moment to do so, and to tell what it used.
const WORKER: StopManners = { metered: true, deadlineGraceMs: 10, lostMs: 1_000 };
const METERED_CHILD: StopManners = { metered: true, deadlineGraceMs: 40, lostMs: 5_000 };
const CHILD: StopManners = { metered: false, deadlineGraceMs: 0, lostMs: 5_000 };

/** Messages of a child that are longer than its memory can be are not its own: its values, and what JSON and their frames add. */
const MESSAGE_MARGIN_BYTES = 16 * 2 ** 20;

/** One generation of a module whose instances are threads or processes. All that is started ends with the context's scope. */
export class IsolatedModule {
  readonly #crew: Crew;
  readonly #context: { readonly id: string; readonly clock: Clock; readonly log: Log };
  readonly #manners: StopManners;
  readonly #code: IsolatedCode;

  /**
   * @param tally counts what its guests use
   * @throws KeelsonError `UNSUPPORTED` when the platform lacks what the level needs
   */
  constructor(
    settings: IsolationSettings,
    code: IsolatedCode,
    context: ModuleContext,
    tally: Tally | undefined,
  ) {
    const { id, clock, log } = context;
    this.#context = { id, clock, log };
    this.#code = code;
    const metered = code.plan.metered !== undefined;
    this.#manners = settings.level === "worker" ? WORKER : metered ? METERED_CHILD : CHILD;
    const forward = ({ level, message, fields }: LogMessage): void => log.write(level, message, fields);
    const start =
      settings.level === "worker"
        ? threadStarter(code, context, forward)
        : childStarter(settings, code, context, forward);
    this.#crew = context.scope.add(new Crew({ id, clock, log, start, tally }));
  }

  /** @param release called once, when the instance is disposed; not when it cannot be made */
  async make(release: () => void): Promise<Instance> {
    const open = (): Promise<Opened> => this.#open();
    const options = { ...this.#context, crew: this.#crew, manners: this.#manners, open };
    return new IsolatedInstance(options, await open(), release);
  }

  async #open(): Promise<Opened> {
    const { imports, shape, plan } = this.#code;
    const host = imports && new HostCalls({ ...this.#context, shape, imports, fresh: plan.fresh });
    return { ...(await this.#crew.open(host)), host };
  }
}

function threadStarter(
  { plan, module, outline }: IsolatedCode,
  { clock, platform }: ModuleContext,
  log: (record: LogMessage) => void,
): () => MaybePromise<Line> {
  const { workers } = platform;
  if (workers === undefined || platform.supports["workers"] !== true)
    throw lacking(platform, plan.id, "worker", "workers");
  const options = { id: plan.id, clock, log };
  return () => new ThreadLine(workers, { plan, module, outline }, options);
}

function childStarter(
  settings: IsolationSettings,
  { plan, bytes }: IsolatedCode,
  { clock, platform, log: contextLog }: ModuleContext,
  log: (record: LogMessage) => void,
): () => MaybePromise<Line> {
  const { processes } = platform;
  if (processes?.fork === undefined || platform.supports["fork"] !== true)
    throw lacking(platform, plan.id, "process", "fork");
  if (platform.supports["processMemory"] !== true && settings.asksForProcessBytes) {
    contextLog.write("warn", "limits.process cannot be enforced on this platform", {
      reason: platform.reasons["processMemory"],
    });
  }
  const load = writeLoad(plan, bytes, HEAD_BYTES);
  const maxMessageBytes = plan.maxMemoryBytes * 2 + MESSAGE_MARGIN_BYTES;
  const options = { id: plan.id, clock, maxProcessBytes: settings.processBytes, maxMessageBytes, log };
  return async () => {
    const line = new ChildLine(
      await (processes.fork as NonNullable<typeof processes.fork>)(childProgram),
      options,
    );
    line.tell(load);
    return line;
  };
}

function lacking(platform: Platform, id: string, level: string, feature: string): KeelsonError {
  return new KeelsonError("UNSUPPORTED", `${id}: isolation "${level}" cannot be had on ${platform.name}`, {
    hint: platform.reasons[feature] ?? 'use isolation: "inline"',
  });
}
