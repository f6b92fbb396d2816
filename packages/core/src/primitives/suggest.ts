/**
 * The candidate that `word` most likely stands for, if one is near enough: at most one typing mistake in three letters, where a
 * mistake is a letter too many, too few, wrong, or two swapped. Case, `-` and `_` do not count.
 */
export function suggest(word: unknown, candidates: Iterable<string>): string | undefined {
  if (typeof word !== "string" || word.length > 64) return undefined;
  const plain = simplify(word);
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(plain.length / 3)) + 1;
  // Callers without types may have no list, or other things in it: none of them is meant.
  for (const candidate of Array.from(candidates ?? [])) {
    if (typeof candidate !== "string") continue;
    const mistakes = editDistance(plain, simplify(candidate), fewest);
    // A word of which nothing is left is like none.
    if (mistakes < fewest && mistakes < plain.length) {
      fewest = mistakes;
      best = candidate;
    }
  }
  return best;
}

function simplify(word: string): string {
  return word.toLowerCase().replace(/[-_\s]/g, "");
}

/** The number of typing mistakes between two words; some number ≥ `limit` when there are at least so many. */
export function editDistance(a: string, b: string, limit: number = Infinity): number {
  if (Math.abs(a.length - b.length) >= limit) return Math.abs(a.length - b.length);
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] as number) + 1,
        (next[column - 1] as number) + 1,
        (last[column - 1] as number) + (same ? 0 : 1),
      );
      if (a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (before[column - 2] as number) + 1);
      }
      next.push(cost);
    }
    before = last;
    last = next;
  }
  return last[b.length] as number;
}
