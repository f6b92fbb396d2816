export { createClock } from "@keelson/node-compat";
