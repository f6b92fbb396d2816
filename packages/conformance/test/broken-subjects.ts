import { expect, test } from "vitest";
import { allChecks, createSubject, runCheck, skipReason } from "../src/index.ts";
import { adapter } from "./adapter.ts";
import { broken } from "./broken/index.ts";

/** Those whose subject hangs, which the check's own time alone can show. */
const hangs = new Set([
  "lifecycle.stop-aborts-hung-start",
  "lifecycle.deadlines",
  "lifecycle.one-blocks-no-other",
  "pooled.call-cycle",
]);

/** Whether a check is about guests in threads and processes of their own. They have a file for themselves, since they take half of the time. */
export function isIsolated(id: string): boolean {
  return /^wasm\.(worker|process)\./.test(id);
}

/** Declares a test for each check that `belongs`: it fails against the subject that is broken for it. */
export function declareBroken(belongs: (id: string) => boolean): void {
  const subject = createSubject(adapter);
  for (const check of allChecks) {
    const breaking = broken[check.id];
    if (breaking === undefined || !belongs(check.id)) continue;
    const reason = skipReason(check, subject);
    test(check.id, async (context) => {
      if (reason !== undefined) context.skip(reason);
      const limitMs = hangs.has(check.id) ? 1_000 : 45_000;
      const error: unknown = await runCheck(check, breaking(subject), limitMs).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(Error);
      expect(/did not end within/.test((error as Error).message)).toBe(hangs.has(check.id));
    });
  }
}
