import type { MemoryFacts, MeteringFacts, TableFacts, WasmInspection } from "@keelson/wasm";
import { bytesText, counted, formatFacts, oneLine, type Paint } from "./text.ts";

/** What {@link WasmInspection} says, for people. All names in it are the module's own: none may steer the terminal. */
export function formatInspection(file: string, wasm: WasmInspection, paint: Paint): string {
  const facts = formatFacts(
    [
      ["ABI profile", profileLines(wasm, paint)],
      ["imports", importLines(wasm, paint)],
      [
        "exports",
        wasm.exports.map(({ name, kind, type }) => `${oneLine(name)}  ${signature(kind, type, paint)}`),
      ],
      ["memory", wasm.memories.map(memoryLine)],
      ["tables", wasm.tables.map(tableLine)],
      ["start", wasm.start === undefined ? [] : [`function ${wasm.start} runs at each instantiation`]],
      ["proposals", wasm.proposals.length === 0 ? [] : [wasm.proposals.join(", ")]],
      ["metering", meteringLines(wasm.metering, paint)],
    ],
    paint,
  );
  const head = `${oneLine(file)} is a WebAssembly module of ${bytesText(wasm.bytes)} with ${counted(wasm.functions, "function")}.`;
  const refused =
    wasm.refused === undefined ? [] : [paint("red", `This engine refuses it: ${oneLine(wasm.refused)}`)];
  return [head, ...refused, "", facts].join("\n");
}

function signature(kind: string, type: string, paint: Paint): string {
  return paint("dim", kind === "function" ? type : `${kind}, ${type}`);
}

function profileLines({ profiles }: WasmInspection, paint: Paint): string[] {
  const lines = profiles.map(({ name, chosen, missing }) => {
    if (missing.length === 0) return chosen ? paint("green", name) : `${name} would fit too`;
    const lacks = oneLine(missing.join("; "));
    return chosen ? paint("red", `${name}, but it lacks ${lacks}`) : `nearly ${name}: it lacks ${lacks}`;
  });
  return profiles.some(({ chosen }) => chosen) ? lines : [paint("red", "none fits"), ...lines];
}

function importLines({ imports }: WasmInspection, paint: Paint): string[] {
  return imports.map(({ module, name, kind, type, provided }) => {
    const from = provided
      ? paint("green", "provided by the profile")
      : paint("yellow", "the host must give it");
    return `${oneLine(`${module}.${name}`)}  ${signature(kind, type, paint)}  ${from}`;
  });
}

function memoryLine({ minBytes, maxBytes, imported, shared, wide }: MemoryFacts): string {
  const most = maxBytes === undefined ? "no maximum of its own" : `at most ${bytesText(maxBytes)}`;
  const also = `${shared ? ", shared" : ""}${wide ? ", 64-bit addresses" : ""}${imported ? ", imported" : ""}`;
  return `${bytesText(minBytes)}, ${most}${also}`;
}

function tableLine({ element, min, max, imported }: TableFacts): string {
  const most = max === undefined ? "no maximum of its own" : `at most ${max}`;
  return `${counted(min, "element")} of ${element}, ${most}${imported ? ", imported" : ""}`;
}

function meteringLines(metering: MeteringFacts, paint: Paint): string[] {
  if (!metering.possible) {
    const { code, message, hint } = metering.error;
    const why = oneLine(message.split("\n  hint: ")[0] ?? "");
    return [paint("red", `impossible: ${code}, ${why}`), ...(hint === undefined ? [] : [`hint: ${hint}`])];
  }
  const { originalBytes, meteredBytes, loops } = metering.report;
  const growth = (meteredBytes / originalBytes).toFixed(2);
  return [`possible: grows to ${bytesText(meteredBytes)}, ×${growth}; ${counted(loops, "loop")}`];
}
