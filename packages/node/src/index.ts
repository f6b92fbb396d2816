export { nodePlatform, type PlatformOptions } from "./platform.ts";
