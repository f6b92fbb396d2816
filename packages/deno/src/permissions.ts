import { KeelsonError } from "@keelson/core";
import { deno, type PermissionDescriptor } from "./deno.ts";

/** Whether Deno was granted a permission, without asking anybody. */
export function isGranted(permission: PermissionDescriptor): boolean {
  return deno().permissions.querySync(permission).state === "granted";
}

/** A variable of the host's environment. @throws KeelsonError `PERMISSION_DENIED` with the flag that is missing */
export function environment(name: string): string | undefined {
  if (isGranted({ name: "env", variable: name })) return deno().env.get(name);
  throw new KeelsonError("PERMISSION_DENIED", `children inherit ${name}, which this program may not read`, {
    hint: `run again with --allow-env=PATH,HOME,KEELSON_OWNER, or give the child its own ${name}`,
  });
}
