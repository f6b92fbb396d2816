import { KeelsonError, suggest } from "@keelson/core/plain";
import { gonext } from "./gonext.ts";
import { keelson } from "./keelson.ts";
import { oxide } from "./oxide.ts";
import { listExports, requireExports, type AbiProfile, type ModuleShape } from "./profile.ts";
import { raw } from "./raw.ts";

/** The built-in profiles, in the order in which they are tried. */
export const abiProfiles: readonly AbiProfile[] = [keelson, gonext, oxide, raw];

/**
 * The profile of a module: the one declared, or the first whose mark its exports bear.
 *
 * @throws KeelsonError `UNKNOWN_ABI`, or `MISSING_EXPORT` with all that the profile lacks
 */
export function chooseProfile(
  shape: ModuleShape,
  module: string,
  abi: string | AbiProfile | undefined,
): AbiProfile {
  const profile =
    typeof abi === "object"
      ? abi
      : abiProfiles.find((one) => (abi === undefined ? one.matches(shape) : one.name === abi));
  if (profile === undefined) {
    const names = abiProfiles.map(({ name }) => name);
    const near = typeof abi === "string" ? suggest(abi, names) : undefined;
    const text =
      abi === undefined ? "no ABI profile fits the module" : `there is no ABI profile ${JSON.stringify(abi)}`;
    throw new KeelsonError("UNKNOWN_ABI", `${module}: ${text}; it exports ${listExports(shape)}`, {
      hint: `${near === undefined ? "" : `did you mean ${near}? `}the profiles are ${names.join(", ")}; raw needs at least one exported function`,
      details: { abi: typeof abi === "string" ? abi : null, exports: [...shape.exports.keys()] },
    });
  }
  requireExports(profile, shape, module);
  return profile;
}
