import type { Platform } from "@keelson/core";
import { adapter } from "../adapter.ts";

// An adapter as somebody else would write one: no more than what must be there.
export function platform(): Platform {
  return adapter.platform();
}
