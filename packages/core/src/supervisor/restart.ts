import type { Filled } from "../primitives/given.ts";
import type { HealthCheckOptions, RestartOptions, RestartPolicy } from "../contract/supervised.ts";
import { type Backoff, createBackoff } from "../primitives/backoff.ts";
import { requireOptions } from "../primitives/invalid-options.ts";
import { parseHealthOptions } from "./health-loop.ts";
import { Intensity } from "./intensity.ts";

/** {@link RestartOptions}, ready for use. */
export interface ParsedRestart {
  readonly policy: RestartPolicy;
  readonly intensity: Intensity;
  readonly backoff: Backoff;
  readonly health: Filled<HealthCheckOptions> | undefined;
}

const POLICIES: readonly RestartPolicy[] = ["never", "on-failure", "always"];

/** Checks `options` and fills in the defaults; `INVALID_OPTIONS` names the first that does not fit. */
export function parseRestart(options: RestartOptions): ParsedRestart {
  requireOptions("restart", options, { policy: POLICIES, intensity: true, backoff: true, health: true });
  const { policy = "never", intensity, backoff, health } = options;
  return {
    policy,
    intensity: new Intensity(intensity),
    backoff: createBackoff(backoff),
    health: health == null ? undefined : parseHealthOptions(health),
  };
}
