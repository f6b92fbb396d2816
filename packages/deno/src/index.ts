export { denoPlatform, type PlatformOptions } from "./platform.ts";
