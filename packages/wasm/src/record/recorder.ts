import { isKeelsonError, KeelsonError, describeThrown } from "@keelson/core";
import type { ModuleShape } from "../abi/profile.ts";
import { isA } from "../governor/thrown.ts";
import type { GuestHost } from "../instance/guest-host.ts";
import type { ImportTap } from "../instance/import-tap.ts";
import { exportedMemories } from "./memory-hash.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { plainNumber } from "./plain.ts";
import type { RecordedHostCall, RecordedNumber } from "./recording.ts";

/** A record is given up past these: a guest must not fill the host's memory by calling it. */
const MAX_HOST_CALLS = 100_000;
const MAX_BYTES = 67_108_864;
/** What a number in a record takes of memory at most, bytes: it may be a bigint, and stands in a list. */
const NUMBER_BYTES = 32;

type HostFunction = (...args: readonly unknown[]) => unknown;

/** Stands between a guest and what it imports, and keeps what passes. */
export class Recorder implements ImportTap {
  readonly hostCalls: RecordedHostCall[] = [];
  memories: readonly WebAssembly.Memory[] = [];
  /** Why the record would not be whole, if it would not. */
  gap: string | undefined;
  #watch: MemoryWatch = new MemoryWatch([]);
  #bytes = 0;
  #depth = 0;

  link(linked: WebAssembly.Imports, shape: ModuleShape, host: GuestHost): WebAssembly.Imports {
    requireFunctions(shape, host.id);
    const out: WebAssembly.Imports = {};
    for (const [module, names] of Object.entries(linked)) {
      const tapped: Record<string, WebAssembly.ImportValue> = (out[module] = Object.create(null));
      for (const [name, value] of Object.entries(names))
        tapped[name] = this.#tap(`${module}.${name}`, value as unknown as HostFunction, host);
    }
    return out;
  }

  opened(exports: WebAssembly.Exports): void {
    this.memories = exportedMemories(exports);
    this.#watch = new MemoryWatch(this.memories);
  }

  #tap(name: string, run: HostFunction, host: GuestHost): WebAssembly.ImportValue {
    return ((...args: readonly unknown[]): unknown => {
      if (this.gap !== undefined) return run(...args);
      if (this.#depth > 0)
        this.#giveUp(`${name} was called by the guest while a host function had called it`);
      this.#depth++;
      const { panic } = host;
      this.#watch.mark();
      let thrown: { readonly error: unknown } | undefined;
      let value: unknown;
      try {
        value = run(...args);
      } catch (error) {
        thrown = { error };
      }
      this.#depth--;
      const ownPanic = host.panic === panic ? undefined : host.panic;
      this.#keep(name, args, value, thrown, ownPanic);
      if (thrown !== undefined) throw thrown.error;
      return value;
    }) as unknown as WebAssembly.ImportValue;
  }

  #keep(
    name: string,
    args: readonly unknown[],
    value: unknown,
    thrown: { readonly error: unknown } | undefined,
    panic: KeelsonError | undefined,
  ): void {
    const { writes, grown } = this.#watch.changes();
    for (const { bytes } of writes) this.#bytes += bytes.length;
    const answers = value === undefined ? [] : Array.isArray(value) ? value : [value];
    this.#bytes += (args.length + answers.length) * NUMBER_BYTES;
    if (this.hostCalls.length >= MAX_HOST_CALLS || this.#bytes > MAX_BYTES) {
      this.#giveUp(
        `it called the host more than ${MAX_HOST_CALLS} times, or gave and got more than ${MAX_BYTES} bytes`,
      );
      return;
    }
    this.hostCalls.push({
      name,
      args: this.#numbers(args, name),
      results: this.#numbers(answers, name),
      ...(thrown === undefined ? {} : { thrown: this.#said(thrown.error, name) }),
      ...(panic === undefined ? {} : { panic: this.#said(panic, name) }),
      writes,
      grown,
    });
  }

  #numbers(values: readonly unknown[], name: string): RecordedNumber[] {
    return values.map((value) => {
      if (typeof value === "number") return plainNumber(value);
      if (typeof value === "bigint") return value;
      if (typeof value === "boolean") return Number(value);
      this.#giveUp(`${name} takes or answers something that is no number`);
      return 0;
    });
  }

  #said(error: unknown, name: string): { readonly code: string; readonly message: string } {
    if (isA(error, WebAssembly.Exception)) this.#giveUp(`${name} threw an exception of WebAssembly`);
    return {
      code: isKeelsonError(error) ? error.code : "",
      message: describeThrown(error),
    };
  }

  #giveUp(why: string): void {
    this.gap ??= why;
    this.hostCalls.length = 0;
  }
}

function requireFunctions(shape: ModuleShape, module: string): void {
  const other = shape.imports.find(({ kind }) => kind !== "function");
  if (other === undefined) return;
  throw new KeelsonError(
    "UNSUPPORTED",
    `${module} imports the ${other.kind} ${other.module}.${other.name}: its calls cannot be recorded`,
    {
      hint: "the host could change it at any time unseen; only functions may be imported by a module that is recorded",
      details: { module, import: `${other.module}.${other.name}`, kind: other.kind },
    },
  );
}
