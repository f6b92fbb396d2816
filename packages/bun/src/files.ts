export { createFiles } from "@keelson/node-compat";
