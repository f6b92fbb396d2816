import type { HealthCheckOptions, RestartOptions, RestartPolicy } from "../contract/supervised.ts";
import { type Backoff, createBackoff } from "../primitives/backoff.ts";
import { invalidOptions, shown } from "../primitives/invalid-options.ts";
import { parseHealthOptions } from "./health-loop.ts";
import { Intensity } from "./intensity.ts";

/** {@link RestartOptions}, ready for use. */
export interface ParsedRestart {
  readonly policy: RestartPolicy;
  readonly intensity: Intensity;
  readonly backoff: Backoff;
  readonly health: Required<HealthCheckOptions> | undefined;
}

const POLICIES: readonly RestartPolicy[] = ["never", "on-failure", "always"];

/** Checks `options` and fills in the defaults; `INVALID_OPTIONS` names the first that does not fit. */
export function parseRestart({
  policy = "never",
  intensity,
  backoff,
  health,
}: RestartOptions): ParsedRestart {
  if (!POLICIES.includes(policy)) {
    throw invalidOptions(`${shown(policy)} is no restart policy`, `use one of ${POLICIES.join(", ")}`, {
      option: "restart.policy",
    });
  }
  return {
    policy,
    intensity: new Intensity(intensity),
    backoff: createBackoff(backoff),
    health: health == null ? undefined : parseHealthOptions(health),
  };
}
