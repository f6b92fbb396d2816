import { SectionId } from "./module.ts";
import { Writer } from "./writer.ts";

/** The offsets of unlikely branches in one function. */
export type BranchHints = readonly [functionIndex: number, offsets: readonly number[]];

/** The section that tells the engine which branches are unlikely: see the branch hinting proposal. */
export function encodeHints(hints: readonly BranchHints[]): Uint8Array | undefined {
  if (hints.length === 0) return undefined;
  const writer = new Writer(1024);
  writer.byte(SectionId.custom);
  writer.sized(() => {
    writer.name("metadata.code.branch_hint");
    writer.u32(hints.length);
    for (const [index, offsets] of hints) {
      writer.u32(index);
      writer.u32(offsets.length);
      for (const offset of offsets) {
        writer.u32(offset);
        writer.u32(1);
        writer.byte(0);
      }
    }
  });
  return writer.finish();
}
