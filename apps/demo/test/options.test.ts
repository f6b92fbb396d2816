import { expect, test } from "vitest";
import { parseOptions } from "../src/options.ts";

test("without arguments Press listens on a free port of the runtime at hand", () => {
  expect(parseOptions([])).toEqual({ help: false, once: false, port: 0, runtime: undefined, sabotage: [] });
});

test("all that the help names is taken", () => {
  const args = [
    "--once",
    "--port",
    "65535",
    "--runtime",
    "bun",
    "--sabotage",
    "orphan",
    "--sabotage",
    "request",
  ];
  expect(parseOptions([...args, "-h"])).toEqual({
    help: true,
    once: true,
    port: 65_535,
    runtime: "bun",
    sabotage: ["orphan", "request"],
  });
});

test.each([
  [["--port", "65536"]],
  [["--port", "1e3"]],
  [["--port", ""]],
  [["--runtime", "nodejs"]],
  [["--once", "--sabotage", "everything"]],
  [["--sabotage", "orphan"]],
])("%j is refused with a RangeError that names the option", (args) => {
  expect(() => parseOptions(args)).toThrow(RangeError);
  expect(() => parseOptions(args)).toThrow(args.findLast((arg) => arg.startsWith("--")));
});

test("what is no option is a TypeError", () => {
  expect(() => parseOptions(["--prot", "1"])).toThrow(TypeError);
});
