export { bunPlatform, type PlatformOptions } from "./platform.ts";
