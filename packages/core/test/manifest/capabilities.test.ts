import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CapabilityRequest } from "../../src/contract/manifest.ts";
import { diffCapabilities, formatCapabilityDiff } from "../../src/manifest/index.ts";

const want = (name: string, ...scope: string[]): CapabilityRequest => ({ name, scope });

describe("diffCapabilities", () => {
  test("prints what is kept, added and removed", () => {
    const diff = diffCapabilities(
      [want("http.fetch"), want("db.read"), want("fs.read", "/a", "/b")],
      [want("media.write"), want("http.fetch"), want("fs.read", "/c", "/b")],
    );
    expect(formatCapabilityDiff(diff)).toEqual([
      "= fs.read: /b",
      "= http.fetch",
      "+ fs.read: /c",
      "+ media.write",
      "- db.read",
      "- fs.read: /a",
    ]);
  });

  test("a scope that is lost or gained makes another wish", () => {
    const diff = diffCapabilities([want("http.fetch", "example.org")], [want("http.fetch")]);
    expect(formatCapabilityDiff(diff)).toEqual(["+ http.fetch", "- http.fetch: example.org"]);
  });

  test("is sorted by name, without a scope before with one", () => {
    const wish = (name: string, ...scope: string[]): { name: string; scope: string[] } => ({ name, scope });
    const all = [wish("b", "x"), wish("c"), wish("a", "y"), wish("b"), wish("a")];
    expect(diffCapabilities([], all).added).toEqual([
      wish("a"),
      wish("a", "y"),
      wish("b"),
      wish("b", "x"),
      wish("c"),
    ]);
  });

  test("nothing asked for and nothing asked for differ by nothing", () => {
    expect(formatCapabilityDiff(diffCapabilities([], []))).toEqual([]);
  });

  test("splits both sides without loss or overlap, and turns around with them", () => {
    const request = fc
      .record({
        name: fc.constantFrom("a", "b", "constructor"),
        scope: fc.array(fc.constantFrom("x", "y", "z"), { maxLength: 3 }),
      })
      .map(({ name, scope }) => want(name, ...scope));
    const requests = fc.array(request, { maxLength: 6 });
    const spread = (list: readonly CapabilityRequest[]): string[] =>
      [
        ...new Set(
          list.flatMap(({ name, scope }) =>
            scope.length === 0 ? [name] : scope.map((one) => `${name}:${one}`),
          ),
        ),
      ].toSorted();
    fc.assert(
      fc.property(requests, requests, (before, after) => {
        const { kept, added, removed } = diffCapabilities(before, after);
        expect(spread([...kept, ...removed])).toEqual(spread(before));
        expect(spread([...kept, ...added])).toEqual(spread(after));
        expect(spread(added).filter((one) => spread(before).includes(one))).toEqual([]);
        expect(spread(removed).filter((one) => spread(after).includes(one))).toEqual([]);
        expect(diffCapabilities(after, before)).toEqual({ kept, added: removed, removed: added });
      }),
    );
  });
});
