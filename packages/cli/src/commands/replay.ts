import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { encodeValue, KeelsonError, type Value } from "@keelson/core";
import { parseRecord, replay, type CallRecording, type Replayed } from "@keelson/wasm";
import { UsageError, type Command } from "../arguments.ts";
import { useColor } from "../display.ts";
import { readNamed, type NamedFile } from "../files.ts";
import { print } from "../terminal.ts";
import { formatFacts, oneLine, painter, type Paint } from "../text.ts";

/** What a call may take by default. Those that a kernel recorded took 30 s at most, unless somebody gave them more. */
const TIMEOUT_SECONDS = 60;

/** `keelson replay`: runs a recorded call again, and says whether it went as before. */
export const replayCommand: Command = {
  name: "replay",
  description: "Run a recorded call of a WebAssembly guest again: does it end at the same instruction?",
  args: {
    record: { type: "positional", description: "A record, as printRecord() writes it", valueHint: "" },
    wasm: {
      type: "string",
      valueHint: "file",
      description: "The module; default: the .wasm file beside the record whose SHA-256 it names",
    },
    timeout: {
      type: "string",
      valueHint: "seconds",
      description: "Give the call up when it takes longer than this; default: 60",
    },
    json: { type: "boolean", description: "Print one JSON object" },
  },
  async run(args) {
    const timeoutMs = readTimeout(args.text("timeout"));
    const hint = "give the path of a record, as printRecord() writes it";
    const { path, bytes } = await readNamed(args.text("record") ?? "", "record", hint);
    const record = parseRecord(new TextDecoder().decode(bytes));
    const named = args.text("wasm");
    const wasm =
      named === undefined
        ? await findModule(record, path)
        : await readNamed(named, "module", "give the path of a .wasm file");
    // Not strict: what differs is what this command is asked for.
    const replayed = await replay(record, wasm.bytes, { clock: performance, strict: false, timeoutMs });
    if (args.flag("json")) print(toJson(path, wasm.path, record, replayed));
    else print(format(path, wasm.path, record, replayed, painter(useColor(process.stdout))));
    return replayed.equal ? 0 : 1;
  },
};

/** @throws UsageError */
function readTimeout(text: string | undefined): number {
  const seconds = text === undefined ? TIMEOUT_SECONDS : Number(text);
  if (seconds > 0 && text?.trim() !== "") return seconds * 1_000;
  throw new UsageError(`--timeout is "${text}"`, "it takes a number of seconds, such as 60 or 0.5");
}

/** The module that the record was made with, among the files beside it. */
async function findModule({ module }: CallRecording, path: string): Promise<NamedFile> {
  const folder = dirname(path);
  const files = (await readdir(folder)).filter((name) => /\.wasm$/i.test(name)).sort();
  for (const name of files) {
    const bytes = new Uint8Array(await readFile(join(folder, name)));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    if (sha256 === module.sha256) return { path: join(folder, name), bytes };
  }
  throw new KeelsonError("NOT_FOUND", `The module ${module.id} of ${path} is not beside it`, {
    hint: `give it with --wasm; its SHA-256 is ${module.sha256}`,
    details: { module: module.id, sha256: module.sha256 },
  });
}

function format(
  path: string,
  wasm: string,
  { module, method, outcome, hostCalls }: CallRecording,
  replayed: Replayed,
  paint: Paint,
): string {
  const { equal, differences } = replayed;
  const facts = formatFacts(
    [
      ["call", [oneLine(`${module.id}.${method}`)]],
      ["module", [oneLine(wasm)]],
      ["host calls", [`${hostCalls.length}, answered from the record`]],
      ["recorded", [ending(outcome.code, outcome.fuel)]],
      ["now", [ending(replayed.outcome, replayed.fuel)]],
      ...(replayed.message === undefined
        ? []
        : [["message", [oneLine(replayed.message.split("\n")[0] ?? "")]] as const]),
      ...(equal
        ? []
        : [["differences", differences.map((difference) => paint("red", oneLine(difference)))] as const]),
    ],
    paint,
  );
  const verdict = equal
    ? paint("green", "The same: outcome, answer, fuel and memory, so it ended at the same instruction.")
    : paint("red", "It went another way.");
  return `${basename(path)}, run again:\n\n${facts}\n\n${verdict}`;
}

function ending(code: string, fuel: number): string {
  return `${code}, after ${fuel.toLocaleString("en")} units of fuel`;
}

function toJson(path: string, wasm: string, record: CallRecording, replayed: Replayed): string {
  const { id } = record.module;
  const { method, outcome } = record;
  const recorded = { outcome: outcome.code, fuel: outcome.fuel };
  const { equal, differences, fuel, usage, message, value } = replayed;
  const found = { outcome: replayed.outcome, fuel, usage, ...(message === undefined ? {} : { message }) };
  return (
    encodeValue({
      ...{ record: path, wasm, module: id, method, equal, differences: [...differences], recorded },
      replayed: {
        ...found,
        usage: { ...usage },
        ...(value === undefined ? {} : { value: printable(value) }),
      },
    }) ?? ""
  );
}

/** Numbers that JSON does not know are written as records write them. */
function printable(value: Value): Value {
  if (Array.isArray(value)) return value.map(printable);
  const unknown = typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0));
  if (!unknown) return value;
  return { $number: Object.is(value, -0) ? "-0" : String(value) };
}
