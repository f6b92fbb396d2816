import type { Bytes, Call, Measurement, Value, Clock, Log, Platform } from "@keelson/core";
import { KeelsonError } from "@keelson/core/plain";
import { abiProfiles } from "../abi/profiles.ts";
import { shapeOf } from "../abi/profile.ts";
import { readOutline, type Outline } from "../binary/outline.ts";
import { Governor, type GuestThread } from "../governor/index.ts";
import type { GuestContext } from "../instance/guest-context.ts";
import type { RenewableInstance } from "../state/fresh-instance.ts";
import { createGuestInstance, type Blueprint } from "../instance/create-guest.ts";
import { Remains } from "../instance/remains.ts";
import { farImports } from "./far-imports.ts";
import { readHostAnswer, readMake, writeHostCall, type OverCode, type Provided } from "./host-messages.ts";
import type { LogRoom, WaitEnd } from "./log-room.ts";
import {
  Ask,
  kindOf,
  readCall,
  readLoad,
  writeAnswer,
  writeError,
  writeLog,
  writeMade,
  type FarCallMessage,
  type LogMessage,
  type Plan,
  type Standing,
} from "./messages.ts";

// Each runtime has it, in threads and children alike.
declare const performance: { now(): number };

/** Code that came in another way than by a message of bytes. */
export interface LoadedCode {
  readonly module: WebAssembly.Module;
  readonly outline: Outline | undefined;
}

/** The far end of a line, as its guest uses it. */
export interface FarLine {
  /** Bytes that are left free at the beginning of each message for whoever carries it. */
  readonly head: number;
  send(message: Bytes): void;
  /** Sends a call of the host, and waits for its answer: nothing else happens on this side meanwhile. */
  ask(message: Bytes): Bytes;
  /** A flag that the host may raise. */
  readonly interrupt?: Int32Array;
  /** Room for log records, where sending them does not wait by itself until they are taken; needs `interrupt`. */
  readonly room?: LogRoom;
  /** What a busy guest is timed by, which is looked at at each of its slices. */
  readonly clock: Pick<Clock, "now" | "ran">;
}

/**
 * The guest's side of an isolated module: in a thread or a child of its own it makes one instance at a time and calls it, the same one that
 * would stand in the host's thread.
 */
export class FarGuest {
  readonly #line: FarLine;
  readonly #thread: GuestThread = { current: undefined };
  readonly #tally = new Float64Array(2);
  #blueprint: Blueprint | undefined;
  #id = "";
  #instance: RenewableInstance | undefined;
  #governor: Governor | undefined;
  #fresh = false;
  readonly #remains = new Remains();
  #provided: readonly Provided[] = [];
  /** When the call in progress ends. */
  #deadline = Infinity;
  /** What the last host function that failed threw into the guest. */
  #hostThrew: unknown;

  constructor(line: FarLine) {
    this.#line = line;
  }

  /** Takes the plan and the code of a generation. */
  load(plan: Plan, { module, outline }: LoadedCode): void {
    const { id, abi, maxMemoryBytes, metered, fresh } = plan;
    const profile = abiProfiles.find(({ name }) => name === abi);
    if (profile === undefined) throw new TypeError(`there is no ABI profile ${abi}`);
    const hidden = new Set(metered === undefined ? [] : Object.values(metered.meta.exports));
    const shape = shapeOf(module, outline, hidden);
    this.#id = id;
    this.#fresh = fresh;
    this.#blueprint = {
      module,
      shape,
      profile,
      imports: undefined,
      maxMemoryBytes,
      capped: true,
      sliced: false,
      exposed: undefined,
      metered,
    };
  }

  /** Deals with one message of the host. */
  receive(message: Bytes): void {
    const { head } = this.#line;
    switch (kindOf(message, head)) {
      case Ask.load: {
        const { plan, code } = readLoad(message, head);
        if (code === undefined) throw new TypeError("there is no code to load");
        // At once and not by a promise: nobody else wants this thread.
        this.load(plan, { module: new WebAssembly.Module(code), outline: readOutline(code) });
        return;
      }
      case Ask.make:
        this.#provided = readMake(message, head);
        return this.#make();
      case Ask.call:
        return this.#call(readCall(message, head));
      default:
        return this.#drop();
    }
  }

  #make(): void {
    const { head } = this.#line;
    let message: Bytes;
    try {
      this.#instantiate();
      message = writeMade(this.#standing(), head);
    } catch (error) {
      message = writeError(this.#standing(), undefined, true, error, head, this.#cameFromHost(error));
    }
    this.#line.send(message);
  }

  #call(asked: FarCallMessage): void {
    const { head } = this.#line;
    let message: Bytes;
    const call = new FarCall(this.#id, asked);
    this.#deadline = call.deadline;
    try {
      const instance = this.#instance ?? this.#instantiate();
      const value = instance.call(call) as Value;
      message = writeAnswer(this.#standing(), call.measurement?.usage, value, head);
    } catch (error) {
      const { dead } = this.#instance ?? { dead: true };
      const { usage } = call.measurement ?? {};
      message = writeError(this.#standing(), usage, dead, error, head, this.#cameFromHost(error));
    }
    this.#deadline = Infinity;
    this.#line.send(message);
    if (this.#fresh) this.#renew();
  }

  #standing(): Standing {
    const spent = this.#tally.slice();
    this.#tally.fill(0);
    return { memoryBytes: this.#instance?.memoryBytes ?? 0, spent };
  }

  /** After the answer, while the host has it: the next call finds a guest as new. */
  #renew(): void {
    const instance = this.#instance;
    if (instance === undefined || instance.dead || instance.renew?.() === true) return;
    try {
      this.#instantiate();
    } catch {
      // The next call tries again, and tells its caller.
      this.#drop();
    }
  }

  #instantiate(): RenewableInstance {
    if (this.#blueprint === undefined) throw new TypeError("nothing was loaded");
    this.#drop();
    const { interrupt } = this.#line;
    const { imports: wanted } = this.#blueprint.shape;
    const blueprint: Blueprint = {
      ...this.#blueprint,
      imports: farImports(wanted, this.#provided, (index, args) => this.#askHost(index, args)),
    };
    this.#governor =
      blueprint.metered &&
      new Governor({
        clock: this.#line.clock,
        thread: this.#thread,
        tally: this.#tally,
        ...(interrupt === undefined ? {} : { interrupt }),
      });
    this.#remains.press();
    this.#instance = createGuestInstance(blueprint, this.#context(), this.#governor, (holder, bytes) =>
      this.#remains.add(holder, bytes),
    );
    return this.#instance;
  }

  /** Calls a host function. What it took of time on its way, and waiting, is not the guest's own. */
  #askHost(index: number, args: readonly unknown[]): unknown {
    const { head } = this.#line;
    const governor = this.#governor;
    const asked = performance.now();
    const answer = readHostAnswer(this.#line.ask(writeHostCall(index, args, head)), head);
    if (answer.kind === "over") {
      governor?.excuse(performance.now() - asked);
      throw this.#over(answer.code);
    }
    governor?.excuse(performance.now() - asked - answer.hostMs);
    if (answer.kind === "value") return answer.value;
    this.#hostThrew = answer.thrown;
    throw answer.thrown;
  }

  /** Sends a log record. One whose guest is to stop while it waits for room goes out all the same. */
  #log(record: LogMessage): void {
    const { head, room } = this.#line;
    const message = writeLog(record, head);
    const end =
      room === undefined || room.enter(message.length) ? "room" : this.#waitIn(room, message.length);
    this.#line.send(message);
    if (end !== "room") throw this.#over(end === "late" ? "DEADLINE_EXCEEDED" : "ABORTED");
  }

  #waitIn(room: LogRoom, bytes: number): WaitEnd {
    const began = performance.now();
    const end = room.enterLater(bytes, this.#line.interrupt as Int32Array, this.#deadline);
    this.#governor?.excuse(performance.now() - began);
    return end;
  }

  /** Ends the guest, which waits for its host. What to throw into it, for which its governor has the error of the stop. */
  #over(code: OverCode): Error {
    const message = `${this.#id}: the call ended while the guest waited for its host`;
    if (this.#governor === undefined) return new KeelsonError(code, message);
    this.#governor.end(code, code === "ABORTED" ? "signal" : "deadline");
    return new Error(message);
  }

  #cameFromHost(error: unknown): boolean {
    const thrown = this.#hostThrew;
    return (
      thrown !== undefined && (error === thrown || (error as { readonly cause?: unknown }).cause === thrown)
    );
  }

  #drop(): void {
    this.#instance?.[Symbol.dispose]();
    this.#instance = undefined;
  }

  #context(): GuestContext {
    const log: Log = {
      write: (level, message, fields) => this.#log({ level, message, fields }),
    };
    return { id: this.#id, clock, log, platform: { ...bare, log } };
  }
}

const clock: Clock = { now: () => performance.now(), wall: () => Date.now(), after: unreachable };

/** What a guest would need a platform for is refused before it comes so far. */
const bare: Omit<Platform, "log"> = {
  name: "isolated",
  version: "",
  supports: {},
  reasons: {},
  clock,
  random: { number: unreachable, id: unreachable },
};

function unreachable(): never {
  throw new TypeError("the guest of an isolated module has neither timers nor chance");
}

const NEVER = new AbortController().signal;

/** A call on this side: it calls nobody else, and what ends it is its deadline and the host's flag. */
class FarCall implements Call {
  readonly module: string;
  readonly method: string;
  readonly payload: Value;
  readonly parent: undefined = undefined;
  readonly deadline: number;
  readonly measurement: Measurement | undefined;

  constructor(module: string, { method, payload, leftMs, measure }: FarCallMessage) {
    this.module = module;
    this.method = method;
    this.payload = payload;
    this.deadline = performance.now() + leftMs;
    this.measurement = measure ? { record: false, usage: undefined, recorded: undefined } : undefined;
  }

  /** The host raises its flag instead. */
  readonly signal: AbortSignal = NEVER;

  invoke(): Promise<Value> {
    return Promise.reject(this.#alone());
  }

  invokeSync(): Value {
    throw this.#alone();
  }

  #alone(): KeelsonError {
    return new KeelsonError("UNSUPPORTED", `${this.module}: a guest that is isolated cannot call the host`, {
      hint: 'use isolation: "inline"',
    });
  }
}
