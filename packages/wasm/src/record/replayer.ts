import { KeelsonError, errorCodes, type ErrorCode } from "@keelson/core";
import type { ModuleShape } from "../abi/profile.ts";
import type { GuestHost } from "../instance/guest-host.ts";
import type { ImportTap } from "../instance/import-tap.ts";
import { exportedMemories } from "./memory-hash.ts";
import { fromPlain, plainNumber } from "./plain.ts";
import type { RecordedHostCall } from "./recording.ts";

/** Answers a guest's calls of the host from a record. */
export class Replayer implements ImportTap {
  readonly replaces = true;
  readonly differences: string[] = [];
  memories: readonly WebAssembly.Memory[] = [];
  readonly #calls: readonly RecordedHostCall[];
  readonly #onDifference: () => void;
  #next = 0;

  /** @param onDifference told when the guest asks for what was not recorded: it must not go on */
  constructor(calls: readonly RecordedHostCall[], onDifference: () => void) {
    this.#calls = calls;
    this.#onDifference = onDifference;
  }

  link(_: WebAssembly.Imports, shape: ModuleShape, host: GuestHost): WebAssembly.Imports {
    const out: WebAssembly.Imports = {};
    for (const { module, name, kind } of shape.imports) {
      if (kind !== "function") {
        throw new KeelsonError("UNSUPPORTED", `The module imports the ${kind} ${module}.${name}`, {
          hint: "a call of such a module cannot have been recorded: give the module that the record was made with",
        });
      }
      (out[module] ??= Object.create(null) as Record<string, WebAssembly.ImportValue>)[name] = ((
        ...args: readonly unknown[]
      ): unknown => this.#answer(`${module}.${name}`, args, host)) as unknown as WebAssembly.ImportValue;
    }
    return out;
  }

  opened(exports: WebAssembly.Exports): void {
    this.memories = exportedMemories(exports);
  }

  /** Calls of the record that the guest did not make. */
  get left(): number {
    return this.#calls.length - this.#next;
  }

  #answer(name: string, args: readonly unknown[], host: GuestHost): unknown {
    const index = this.#next++;
    const call = this.#calls[index];
    const asked = `${name}(${args.map(show).join(", ")})`;
    if (call === undefined) return this.#differ(`the guest called ${asked}, which is not in the record`);
    const recorded = `${call.name}(${call.args.map((arg) => show(fromPlain(arg))).join(", ")})`;
    if (asked !== recorded) {
      return this.#differ(`host call ${index} was ${recorded} in the record, and is ${asked}`);
    }
    if (!this.#apply(call))
      return this.#differ(`host call ${index}, ${asked}, does not fit the guest's memory`);
    if (call.panic !== undefined) host.panic = errorFrom(call.panic);
    if (call.thrown !== undefined) throw host.panic ?? errorFrom(call.thrown);
    const results = call.results.map(fromPlain);
    return results.length < 2 ? results[0] : results;
  }

  /** Does to the guest's memories what the host had done. */
  #apply({ writes, grown }: RecordedHostCall): boolean {
    try {
      for (const { memory, pages } of grown) (this.memories[memory] as WebAssembly.Memory).grow(pages);
      for (const { memory, at, bytes } of writes)
        new Uint8Array((this.memories[memory] as WebAssembly.Memory).buffer).set(bytes, at);
      return true;
    } catch {
      return false;
    }
  }

  #differ(difference: string): undefined {
    this.differences.push(difference);
    this.#onDifference();
  }
}

function show(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "number" ? JSON.stringify(plainNumber(value)) : String(value);
}

function errorFrom({ code, message }: { readonly code: string; readonly message: string }): KeelsonError {
  if (Object.hasOwn(errorCodes, code)) return new KeelsonError(code as ErrorCode, message);
  return new KeelsonError("CALL_FAILED", message);
}
