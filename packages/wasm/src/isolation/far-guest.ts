import type { Bytes, Call, Measurement, Value, Clock, Log, Platform } from "@keelson/core";
import { KeelsonError } from "@keelson/core/plain";
import { abiProfiles } from "../abi/profiles.ts";
import { shapeOf } from "../abi/profile.ts";
import { readOutline, type Outline } from "../binary/outline.ts";
import { Governor, type GuestThread } from "../governor/index.ts";
import type { GuestContext } from "../instance/guest-context.ts";
import type { RenewableInstance } from "../state/fresh-instance.ts";
import { createGuestInstance, type Blueprint } from "../instance/create-guest.ts";
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
  type Plan,
} from "./messages.ts";

// Each runtime has it, in threads and children alike.
declare const performance: { now(): number };

/** Code that came in another way than by a message of bytes. */
export interface LoadedCode {
  readonly module: WebAssembly.Module;
  readonly outline: Outline | undefined;
}

/**
 * The guest's side of an isolated module: in a thread or a child of its own it makes one instance at a time and calls it, the same one that
 * would stand in the host's thread.
 */
export class FarGuest {
  readonly #send: (message: Bytes) => void;
  readonly #head: number;
  readonly #interrupt: Int32Array | undefined;
  readonly #thread: GuestThread = { current: undefined };
  #blueprint: Blueprint | undefined;
  #id = "";
  #instance: RenewableInstance | undefined;
  #fresh = false;

  /**
   * @param head bytes that are left free at the beginning of each message for whoever carries it
   * @param interrupt a flag that the host may raise
   */
  constructor(send: (message: Bytes) => void, head: number, interrupt?: Int32Array) {
    this.#send = send;
    this.#head = head;
    this.#interrupt = interrupt;
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
    const head = this.#head;
    switch (kindOf(message, head)) {
      case Ask.load: {
        const { plan, code } = readLoad(message, head);
        if (code === undefined) throw new TypeError("there is no code to load");
        // At once and not by a promise: nobody else wants this thread.
        this.load(plan, { module: new WebAssembly.Module(code), outline: readOutline(code) });
        return;
      }
      case Ask.make:
        return this.#make();
      case Ask.call:
        return this.#call(readCall(message, head));
      default:
        return this.#drop();
    }
  }

  #make(): void {
    let message: Bytes;
    try {
      const { memoryBytes } = this.#instantiate();
      message = writeMade(memoryBytes, this.#head);
    } catch (error) {
      message = writeError(0, undefined, true, error, this.#head);
    }
    this.#send(message);
  }

  #call(asked: FarCallMessage): void {
    let message: Bytes;
    const call = new FarCall(this.#id, asked);
    try {
      const instance = this.#instance ?? this.#instantiate();
      const value = instance.call(call) as Value;
      message = writeAnswer(instance.memoryBytes, call.measurement?.usage, value, this.#head);
    } catch (error) {
      const { memoryBytes, dead } = this.#instance ?? { memoryBytes: 0, dead: true };
      message = writeError(memoryBytes, call.measurement?.usage, dead, error, this.#head);
    }
    this.#send(message);
    if (this.#fresh) this.#renew();
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
    const blueprint = this.#blueprint;
    if (blueprint === undefined) throw new TypeError("nothing was loaded");
    this.#drop();
    const governor =
      blueprint.metered &&
      new Governor({
        clock: performance,
        thread: this.#thread,
        ...(this.#interrupt === undefined ? {} : { interrupt: this.#interrupt }),
      });
    const instance = createGuestInstance(blueprint, this.#context(), governor, () => undefined);
    this.#instance = instance;
    return instance;
  }

  #drop(): void {
    this.#instance?.[Symbol.dispose]();
    this.#instance = undefined;
  }

  #context(): GuestContext {
    const log: Log = {
      write: (level, message, fields) => this.#send(writeLog({ level, message, fields }, this.#head)),
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

  get signal(): AbortSignal {
    return new AbortController().signal;
  }

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
