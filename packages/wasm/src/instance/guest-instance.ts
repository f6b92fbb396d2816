import {
  asKeelsonError,
  isKeelsonError,
  KeelsonError,
  type Call,
  type Instance,
  type ModuleContext,
  type Value,
} from "@keelson/core";
import type { AbiProfile, Binding, ModuleShape } from "../abi/profile.ts";
import type { GuestHost } from "./guest-host.ts";
import { GuestMemory } from "./guest-memory.ts";
import { instantiate, resolveImports, type HostImports } from "./link.ts";
import { trapError } from "./trap.ts";

/** All that instances of one generation have in common. */
export interface Blueprint {
  readonly module: WebAssembly.Module;
  readonly shape: ModuleShape;
  readonly profile: AbiProfile;
  readonly imports: HostImports | undefined;
  /** Cap on memory, bytes. */
  readonly maxMemoryBytes: number;
  /** True when the engine itself refuses growth past the cap; else it is looked at after each call. */
  readonly capped: boolean;
}

/**
 * Makes one instance and runs its start function, then `_initialize` if it exports one, as reactors of C, Rust and Go expect.
 *
 * @param release called once, when the instance is disposed
 */
export function createGuestInstance(
  blueprint: Blueprint,
  context: ModuleContext,
  release: () => void,
): Instance {
  const { module, shape, profile } = blueprint;
  const host: GuestHost = {
    id: context.id,
    log: context.log,
    wall: () => context.clock.wall(),
    memory: undefined,
    entered: false,
    broken: false,
    panic: undefined,
  };
  const imports = resolveImports(shape, profile, host, blueprint.imports);
  const { exports } = instantiate(module, imports, context.id);
  const memories = Object.values(exports).filter((one) => one instanceof WebAssembly.Memory);
  const main = exports["memory"] instanceof WebAssembly.Memory ? exports["memory"] : memories[0];
  if (main !== undefined) host.memory = new GuestMemory(main);
  const others = memories.filter((memory) => memory !== main).map((memory) => new GuestMemory(memory));
  const watchBytes = blueprint.capped ? Infinity : blueprint.maxMemoryBytes;
  const instance = new GuestInstance(host, others, watchBytes, release);
  instance.open(() => {
    const initialize = exports["_initialize"];
    if (typeof initialize === "function") {
      host.entered = true;
      (initialize as () => void)();
      host.entered = false;
    }
    return profile.bind({ exports, host, shape });
  });
  return instance;
}

class GuestInstance implements Instance {
  dead = false;
  #binding: Binding | undefined;
  readonly #host: GuestHost;
  /** Exported memories besides the main one. */
  #others: readonly GuestMemory[];
  /** `Infinity` when the engine keeps the cap. */
  readonly #watchBytes: number;
  #release: (() => void) | undefined;

  constructor(host: GuestHost, others: readonly GuestMemory[], watchBytes: number, release: () => void) {
    this.#host = host;
    this.#others = others;
    this.#watchBytes = watchBytes;
    this.#release = release;
  }

  /** Ends what belongs to instantiation; a failure here is the failure to instantiate. */
  open(bind: () => Binding): void {
    try {
      this.#binding = bind();
      this.#look("start");
    } catch (error) {
      throw this.#fail(error, "start");
    }
  }

  get memoryBytes(): number {
    let bytes = this.#host.memory?.size ?? 0;
    for (const memory of this.#others) bytes += memory.size;
    return bytes;
  }

  call(call: Call): Value {
    const binding = this.#binding;
    if (binding === undefined) throw this.#gone();
    const host = this.#host;
    let value: Value;
    try {
      value = binding.call(call.method, call.payload);
    } catch (error) {
      throw this.#fail(error, call.method);
    }
    if (host.panic !== undefined || this.#watchBytes !== Infinity) this.#judge(call.method);
    return value;
  }

  [Symbol.dispose](): void {
    this.dead = true;
    // What holds the memory is let go, so that the collector can take it although somebody keeps this object.
    this.#binding = undefined;
    this.#host.memory = undefined;
    this.#others = [];
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }

  #judge(method: string): void {
    try {
      this.#look(method);
    } catch (error) {
      throw this.#fail(error, method);
    }
  }

  /** What only shows once the guest has returned: a panic that it caught, and growth that the engine did not refuse. */
  #look(method: string): void {
    const host = this.#host;
    if (host.panic !== undefined) {
      host.broken = true;
      throw host.panic;
    }
    const bytes = this.memoryBytes;
    if (bytes <= this.#watchBytes) return;
    host.broken = true;
    throw new KeelsonError(
      "OUT_OF_MEMORY",
      `${host.id}: ${method} left ${bytes} bytes of memory; the limit is ${this.#watchBytes}`,
      {
        hint: "raise limits.memory; the instance is discarded",
        details: { module: host.id, method, memoryBytes: bytes, limitBytes: this.#watchBytes },
      },
    );
  }

  #fail(error: unknown, method: string): KeelsonError {
    const host = this.#host;
    if (!host.entered && !host.broken && !isKeelsonError(error, "OUT_OF_BOUNDS")) {
      // Nothing has run yet but what reads the payload, which may be anything that its owner made.
      return asKeelsonError(error, "INVALID_PAYLOAD", `${host.id}: the payload of ${method} cannot be read`, {
        hint: "send plain data and bytes; the cause is what reading it threw",
      });
    }
    this.dead = true;
    this.#binding = undefined;
    if (!host.entered) return asKeelsonError(error, "INTERNAL", `${host.id}: ${method}`);
    return host.panic ?? trapError(error, { module: host.id, method, memoryBytes: this.memoryBytes });
  }

  #gone(): KeelsonError {
    return new KeelsonError("WASM_TRAP", `${this.#host.id}: this instance ended before`, {
      hint: "a dead instance is never used again; take another lease",
      details: { kind: "other", module: this.#host.id },
    });
  }
}
