import { KeelsonError } from "@keelson/core/plain";
import type { AbiProfile, ModuleShape } from "../abi/profile.ts";
import type { Governor } from "../governor/index.ts";
import type { GuestContext } from "../instance/guest-context.ts";
import { type HostFunction, neutralAnswer } from "./host-functions.ts";
import { isSuspending } from "./suspending.ts";
import { Suspension } from "./suspension.ts";
import { turnsOf } from "./turns.ts";

/** Why a guest has to be one that may be suspended, in the words of messages; undefined when nothing asks for it. */
export function whySuspendable(imports: WebAssembly.Imports, sliced: boolean): string | undefined {
  for (const [module, names] of Object.entries(imports)) {
    for (const [name, value] of Object.entries(names)) {
      if (isSuspending(value)) return `the host function ${module}.${name} is asynchronous`;
    }
  }
  return sliced ? 'its scheduling is "sliced"' : undefined;
}

/** The {@link Suspension} of a guest that needs one; refuses where the platform or the profile cannot. */
export function createSuspension(
  why: string,
  profile: AbiProfile,
  context: GuestContext,
  governor: Governor | undefined,
  sliced: boolean,
): Suspension {
  const { id, clock, platform } = context;
  if (platform.supports["jspi"] !== true) {
    throw new KeelsonError("UNSUPPORTED", `${id}: ${why}, and this platform cannot suspend guests`, {
      hint: platform.reasons["jspi"] ?? "the platform does not support jspi",
      details: { module: id, feature: "jspi" },
    });
  }
  if (profile.bindLater === undefined) {
    throw new KeelsonError(
      "INVALID_OPTIONS",
      `${id}: ${why}, which the ABI profile ${profile.name} cannot serve`,
      {
        hint: "give the profile a bindLater, or use a built-in one",
        details: { module: id, abi: profile.name },
      },
    );
  }
  return new Suspension(id, governor, () => clock.now(), sliced ? turnsOf(platform) : undefined);
}

/** The imports as a guest that may be suspended needs them. */
export function suspendableImports(
  imports: WebAssembly.Imports,
  shape: ModuleShape,
  suspension: Suspension,
): WebAssembly.Imports {
  const out: WebAssembly.Imports = {};
  for (const [module, names] of Object.entries(imports)) {
    const linked: Record<string, WebAssembly.ImportValue> = (out[module] = Object.create(null));
    for (const [name, value] of Object.entries(names)) {
      const type = shape.outline?.imports.get(`${module}.${name}`);
      const run = value as unknown as HostFunction;
      if (typeof value !== "function") linked[name] = value;
      else if (isSuspending(value)) linked[name] = suspension.suspend(run, neutralAnswer(type));
      else linked[name] = suspension.hold(run);
    }
  }
  return out;
}
