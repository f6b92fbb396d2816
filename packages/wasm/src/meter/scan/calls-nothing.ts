import { pastImmediate } from "../read/immediates.ts";
import { factsOf, immediateIn, prefixBase, prefixRoom, Role, roleIn } from "../read/opcodes.ts";

/** Larger bodies are not looked at. */
const MAX_BYTES = 512;
const MAX_GROUPS = 64;

/**
 * Whether a function certainly calls nothing. `from` stands at the body's declarations of locals. Something unusual ends
 * the look, and mostly a call does, soon.
 */
export function callsNothing(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from > MAX_BYTES) return false;
  let at = from;
  const groups = bytes[at++]!;
  if (groups > MAX_GROUPS) return false;
  for (let group = 0; group < groups; group++) {
    while (bytes[at++]! >= 0x80);
    // a reference type of more bytes: its locals are not worth decoding
    if (bytes[at++]! < 0x69) return false;
  }
  while (at < to) {
    let slot = bytes[at++]!;
    if (slot >= 0xfb && slot <= 0xfe) {
      const code = bytes[at++]!;
      if (code >= 0x80 || code >= prefixRoom[slot - 0xfb]!) return false;
      slot = prefixBase[slot - 0xfb]! + code;
    }
    const facts = factsOf[slot]!;
    const role = roleIn(facts);
    if (role >= Role.call && role <= Role.tailCallRef) return false;
    at = pastImmediate(bytes, at, immediateIn(facts));
    if (at < 0) return false;
  }
  return at === to;
}
