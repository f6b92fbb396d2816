import type { ModuleShape } from "../abi/profile.ts";
import type { GuestHost } from "./guest-host.ts";

/** Something that stands between a guest and what it imports. */
export interface ImportTap {
  /** It brings all imports itself: nothing else is looked for. */
  readonly replaces?: boolean;
  /**
   * What the guest is linked with instead.
   * @param linked what it would be linked with; nothing for a tap that replaces
   */
  link(linked: WebAssembly.Imports, shape: ModuleShape, host: GuestHost): WebAssembly.Imports;
  /** Called once, before anything of the guest runs. */
  opened(exports: WebAssembly.Exports): void;
}
