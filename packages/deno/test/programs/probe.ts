// Says as JSON what the adapter can do with the permissions this program was started with.
import { isKeelsonError } from "@keelson/core";
import { createKernel, denoPlatform } from "../../src/index.ts";

const platform = denoPlatform();
const { files, processes } = platform;
if (files === undefined || processes === undefined) throw new Error("a port is missing");

const outcome = async (work: () => Promise<unknown>): Promise<unknown> => {
  try {
    return { value: await work() };
  } catch (error) {
    return isKeelsonError(error) ? { code: error.code, hint: error.hint } : { native: String(error) };
  }
};
const runCat = async (env?: Readonly<Record<string, string>>): Promise<unknown> => {
  const child = await processes.spawn("cat", [], env === undefined ? {} : { env });
  await child.write(new TextEncoder().encode("hello"));
  const { value } = await child.stdout[Symbol.asyncIterator]().next();
  const { ended, orphans } = await child.terminate();
  return { text: new TextDecoder().decode(value), ended: ended.length, orphans: orphans.length };
};
const runTree = async (): Promise<unknown> => {
  const child = await processes.spawn("sh", ["-c", "sleep 1000 & sleep 1001 & echo; wait"], {});
  await child.stdout[Symbol.asyncIterator]().next();
  const { ended, orphans } = await child.terminate();
  return { ended: ended.length, orphans: orphans.length };
};

console.log(
  JSON.stringify({
    supports: platform.supports,
    reasons: platform.reasons,
    read: await outcome(async () => (await files.read(new URL("file:///etc/passwd"))).byteLength > 0),
    write: await outcome(() => files.write(new URL("file:///proc/keelson/probe"), new Uint8Array(1))),
    cat: await outcome(() => runCat()),
    catWithOwnEnv: await outcome(() => runCat({ PATH: "/usr/bin:/bin", HOME: "/" })),
    tree: await outcome(runTree),
    kernel: await outcome(async () => {
      const kernel = await createKernel({ platform: { log: { level: "silent" } } });
      const { orphans, errors } = await kernel.shutdown();
      return orphans.length + errors.length;
    }),
  }),
);
