// Writes a line to the log that the adapter makes when it is told nothing.
import { runtime } from "../adapter.ts";

const platform =
  runtime === "deno"
    ? (await import("../../../deno/src/index.ts")).denoPlatform()
    : runtime === "bun"
      ? (await import("../../../bun/src/index.ts")).bunPlatform()
      : (await import("../../../node/src/index.ts")).nodePlatform();
platform.log.write("warn", "here I am");
