import { SectionId } from "./module.ts";
import { Writer } from "./writer.ts";

/** The offsets of unlikely branches in one function. */
export type BranchHints = readonly [functionIndex: number, offsets: readonly number[]];

/** The section that tells the engine which branches are unlikely: see the branch hinting proposal. */
export function encodeHints(hints: readonly BranchHints[]): Uint8Array | undefined {
  if (hints.length === 0) return undefined;
  const offsets = hints.reduce((count, [, list]) => count + list.length, 0);
  const writer = new Writer(64 + 8 * hints.length + 6 * offsets);
  writer.byte(SectionId.custom);
  writer.sized(() => {
    writer.name("metadata.code.branch_hint");
    writer.u32(hints.length);
    for (const [index, list] of hints) {
      writer.u32(index);
      writer.u32(list.length);
      for (const offset of list) {
        writer.u32(offset);
        writer.u32(1);
        writer.byte(0);
      }
    }
  });
  return writer.take();
}
