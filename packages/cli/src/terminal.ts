import process from "node:process";
import { isKeelsonError, describeThrown } from "@keelson/core";
import { useColor } from "./display.ts";
import { colorless, painter, visible } from "./text.ts";

/** Prints a line on standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints a line on standard error. */
export function printError(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** An error for people: code, message, hint; its stack and causes only if asked for. */
export function formatError(
  error: unknown,
  options: { readonly verbose: boolean; readonly color: boolean },
): string {
  const paint = painter(options.color);
  const code = isKeelsonError(error) ? error.code : "error";
  const message = told(error);
  const lines = [`${paint("red", code)}: ${message}`];
  const { stack, cause } = (error ?? {}) as { readonly stack?: unknown; readonly cause?: unknown };
  // Most messages have taken their cause's in.
  if (cause !== undefined && !options.verbose && !message.includes(told(cause)))
    lines.push(`  cause: ${told(cause)}`);
  if (options.verbose && typeof stack === "string")
    lines.push(paint("dim", visible(colorless(stack.slice(stack.indexOf("\n") + 1)))));
  if (options.verbose && cause !== undefined) lines.push(`cause: ${formatError(cause, options)}`);
  return lines.join("\n");
}

function told(thrown: unknown): string {
  return visible(colorless(describeThrown(thrown)));
}

/** Options for {@link formatError} on this terminal. */
export function errorOptions(verbose: boolean): { readonly verbose: boolean; readonly color: boolean } {
  return { verbose: verbose || Boolean(process.env["DEBUG"]), color: useColor(process.stderr) };
}

/** An error as a line of `--json`. */
export function errorJson(error: unknown): Readonly<Record<string, unknown>> {
  if (!isKeelsonError(error)) return { code: "INTERNAL", message: colorless(describeThrown(error)) };
  const { code, message, hint, details } = error;
  return {
    code,
    message: colorless(message.split("\n  hint: ")[0] ?? ""),
    ...(hint === undefined ? {} : { hint }),
    ...plainDetails(details),
  };
}

/** What a module puts into an error's details may be anything: what JSON cannot hold must not keep the error from being told. */
function plainDetails(details: unknown): { readonly details?: unknown } {
  try {
    const text = JSON.stringify(details, (_, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    ) as string | undefined;
    return text === undefined ? {} : { details: JSON.parse(text) as unknown };
  } catch {
    return {};
  }
}
