import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { transitions, type Reaction } from "../../src/lifecycle/states.ts";

const page = readFileSync(new URL("../../../../docs/lifecycle.md", import.meta.url), "utf8");

const TRIGGERS = ["init", "start", "stop", "done", "error", "crash", "end"] as const;

function cell(reaction: Reaction): string {
  const { do: what } = reaction;
  if (what === "nothing") return "–";
  if (what === "refuse") return "refused";
  if (what === "queue") return "queued";
  const then = "then" in reaction ? `, then ${reaction.then}` : "";
  if (what === "join") return `joins${then}`;
  return `${reaction.aborts === true ? "aborts, " : ""}${reaction.to}${then}`;
}

test("docs/lifecycle.md has the table of transitions as the code has it", () => {
  const wanted = Object.entries(transitions).map(([state, row]) => [
    `\`${state}\``,
    ...TRIGGERS.map((trigger) => cell(row[trigger])),
  ]);
  const table = page.slice(page.indexOf("| state"));
  const rows = table
    .slice(0, table.indexOf("\n\n"))
    .split("\n")
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((part) => part.trim()),
    );
  expect(rows[0]).toEqual(["state", ...TRIGGERS]);
  expect(rows.slice(2)).toEqual(wanted);
});
