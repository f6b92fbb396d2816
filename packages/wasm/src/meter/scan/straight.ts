import { costIn, deltaIn, factsOf, Immediate, immediateIn, Role, roleIn } from "../read/opcodes.ts";

// Most code is straight: instructions that are copied as they stand, nearly all with immediates that take a byte for each number. How such an
// instruction is read stands in one number, so that no branch depends on which one it is: a processor guesses half of those wrong.

/** Bytes of the immediates of each kind if every number takes one, and the bits that the first and the second byte must not have for that. */
const shortForms: Readonly<Record<number, readonly [bytes: number, first: number, second: number]>> = {
  [Immediate.none]: [0, 0, 0],
  [Immediate.leb]: [1, 0x80, 0],
  [Immediate.leb2]: [2, 0x80, 0x80],
  // bit 6 of the alignment: a memory's index follows
  [Immediate.memory]: [2, 0xc0, 0x80],
  [Immediate.bytes4]: [4, 0, 0],
  [Immediate.bytes8]: [8, 0, 0],
};
/** Added to the change of height, which can be negative. */
const HEIGHT = 64;

/** For each opcode of one byte how to read it where it is straight code with immediates of a known length; otherwise negative. */
export const stepOf: Int32Array = Int32Array.from({ length: 256 }, (_, opcode) => {
  const facts = factsOf[opcode]!;
  const role = roleIn(facts);
  const form = shortForms[immediateIn(facts)];
  if ((role !== Role.plain && role !== Role.constant) || form === undefined) return -1;
  const [bytes, first, second] = form;
  return bytes | first | ((deltaIn(facts) + HEIGHT) << 8) | (second << 8) | (costIn(facts) << 16);
});

/** What must be 0 for the immediates, whose first bytes are given, to be of {@link shortBytes}. */
export function longBits(step: number, first: number, second: number): number {
  return (first & step & 0xc0) | (second & (step >> 8) & 0x80);
}

/** How many bytes the immediates take. */
export function shortBytes(step: number): number {
  return step & 0xf;
}

/** The change of the operand stack's height. */
export function heightOf(step: number): number {
  return ((step >> 8) & 0x7f) - HEIGHT;
}

/** The cost in fuel. */
export function costOfStep(step: number): number {
  return step >> 16;
}
