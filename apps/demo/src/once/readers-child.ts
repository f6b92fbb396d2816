/**
 * Asks for a page so many times a second, at equal distances, until its input ends. For each line it is sent, it prints one of JSON: what it saw
 * since the last one, when all that it had asked for by then has been answered.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { ReadingNotes } from "./readers.ts";

const [url = "", path = "/", perSecond = "1"] = process.argv.slice(2);
const everyMs = 1000 / Number(perSecond);

let notes = new ReadingNotes();
let underWay = new Set<Promise<void>>();
let due = performance.now();
let timer: ReturnType<typeof setTimeout>;

function ask(): void {
  for (; due <= performance.now(); due += everyMs) {
    const asked = underWay;
    const answered = notes.take(url, path).finally(() => asked.delete(answered));
    asked.add(answered);
  }
  timer = setTimeout(ask, Math.max(0, due - performance.now()));
}

async function look(): Promise<void> {
  const asked = underWay;
  const seen = notes;
  underWay = new Set();
  notes = new ReadingNotes();
  await Promise.all(asked);
  console.log(JSON.stringify(seen.reading));
}

ask();
const orders = createInterface({ input: process.stdin });
orders.on("line", () => void look());
orders.on("close", () => clearTimeout(timer));
