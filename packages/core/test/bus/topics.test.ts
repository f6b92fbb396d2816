import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isKeelsonError } from "../../src/contract/errors.ts";
import { fits, isReservedTopic, overlap, parsePattern, parseTopic, TopicTree } from "../../src/bus/topics.ts";

const word = fc.constantFrom("a", "b", "c");
const topic = fc.array(word, { minLength: 1, maxLength: 5 });
const pattern = fc
  .tuple(fc.array(fc.oneof(word, fc.constant("*")), { maxLength: 4 }), fc.boolean())
  .map(([words, rest]) => (rest || words.length === 0 ? [...words, "**"] : words));

/** The same rule said another way. */
function matches(words: readonly string[], topicWords: readonly string[]): boolean {
  const source = words
    .map((part) => (part === "**" ? "[^.]+(\\.[^.]+)*" : part === "*" ? "[^.]+" : part))
    .join("\\.");
  return new RegExp(`^${source}$`).test(topicWords.join("."));
}

function isInvalid(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    return isKeelsonError(error, "INVALID_TOPIC");
  }
}

describe("topics", () => {
  test.each(["a", "order.created", "A-1_b.c", "x".repeat(256)])("%s is a topic", (text) => {
    expect(parseTopic(text)).toEqual(text.split("."));
  });

  test.each([
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "a b",
    "ä",
    "a.*",
    "**",
    "a/b",
    "x".repeat(257),
    "a\n",
    undefined,
    null,
    7,
    {},
    ["a"],
  ])("%j is no topic: INVALID_TOPIC", (text) => {
    expect(isInvalid(() => parseTopic(text))).toBe(true);
  });

  test.each(["*", "**", "a.*", "*.b", "a.**", "*.*.**", "a"])("%s is a pattern", (text) => {
    expect(parsePattern(text)).toEqual(text.split("."));
  });

  test.each(["**.a", "a.**.b", "a*", "***", "a.*b", "", "a..*", 3, undefined])(
    "%j is no pattern: INVALID_TOPIC",
    (text) => {
      expect(isInvalid(() => parsePattern(text))).toBe(true);
    },
  );

  test("the topics of the kernel are known by their first word", () => {
    expect(["kernel", "kernel.closed", "module.started", "supervisor.a.b"].map(isReservedTopic)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(["kernels.x", "a.kernel", "modules", "boundary.x"].map(isReservedTopic)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  test("`*` stands for one word and a last `**` for one or more", () => {
    const fit = (one: string, other: string): boolean => fits(one.split("."), other.split("."));
    expect([fit("a.*", "a.b"), fit("a.*", "a"), fit("a.*", "a.b.c"), fit("*", "a")]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect([fit("a.**", "a.b"), fit("a.**", "a"), fit("a.**", "a.b.c"), fit("**", "a")]).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });

  test("fits() agrees with a regular expression", () => {
    fc.assert(
      fc.property(
        pattern,
        topic,
        (words, topicWords) => fits(words, topicWords) === matches(words, topicWords),
      ),
      {
        numRuns: 1000,
      },
    );
  });

  test("overlap() is true of patterns that share a topic, and false of those that share none of a thousand", () => {
    const topics = fc.sample(topic, { numRuns: 1000, seed: 1 });
    fc.assert(
      fc.property(pattern, pattern, (one, other) => {
        const shared = topics.some((words) => matches(one, words) && matches(other, words));
        expect(overlap(one, other)).toBe(overlap(other, one));
        if (shared) expect(overlap(one, other)).toBe(true);
        // All topics of up to four words over three letters are very likely among the thousand.
        else if (one.length < 4 && other.length < 4) expect(overlap(one, other)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  test("a tree finds what trying every pattern finds, after any additions and removals", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(pattern, fc.boolean()), { maxLength: 40 }),
        fc.array(topic, { minLength: 1, maxLength: 10 }),
        (steps, topics) => {
          const tree = new TopicTree<number>();
          const model = new Map<number, readonly string[]>();
          for (const [index, [words, removes]] of steps.entries()) {
            const oldest = model.entries().next().value;
            if (removes && oldest !== undefined) {
              expect(tree.remove(oldest[1], oldest[0])).toBe(true);
              expect(tree.remove(oldest[1], oldest[0])).toBe(false);
              model.delete(oldest[0]);
            } else {
              tree.add(words, index);
              model.set(index, words);
            }
          }
          expect(tree.size).toBe(model.size);
          for (const words of topics) {
            const expected = [...model]
              .filter(([, patternWords]) => matches(patternWords, words))
              .map(([value]) => value);
            expect(tree.match(words).sort((one, other) => one - other)).toEqual(expected);
          }
          for (const [value, words] of model) tree.remove(words, value);
          expect(tree.bare).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});
