import type { ModuleContext } from "@keelson/core";

/** What of its generation's context an instance needs; it may be made where no kernel is. */
export type GuestContext = Pick<ModuleContext, "id" | "log" | "clock" | "platform">;
