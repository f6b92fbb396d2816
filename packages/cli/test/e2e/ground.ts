import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { nativeModule } from "@keelson/core";
import type { Ground } from "./bad/case.ts";
import { createKernel } from "./host.ts";

/** A kernel with a witness and a folder of its own; disposing it ends both and says what the shutdown found. */
export async function layGround(): Promise<Ground & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), "keelson-e2e-"));
  const kernel = await createKernel();
  await kernel.register(nativeModule({ id: "witness", methods: { answer: () => 42 } }));
  await kernel.start("witness");
  const place = (path: string): string => {
    const full = join(folder, path);
    mkdirSync(dirname(full), { recursive: true });
    return full;
  };
  return {
    kernel,
    write(path, content) {
      const full = place(path);
      writeFileSync(full, content);
      return full;
    },
    link(path, target) {
      const full = place(path);
      rmSync(full, { force: true });
      symlinkSync(target, full);
      return full;
    },
    async [Symbol.asyncDispose]() {
      const { orphans } = await kernel.shutdown();
      rmSync(folder, { recursive: true, force: true });
      if (orphans.length > 0) throw new Error(`orphans: ${JSON.stringify(orphans)}`);
    },
  };
}
