import process from "node:process";
import { vi } from "vitest";
import { main } from "../src/main.ts";

/** Runs the command line in this very process; child processes take a second each on a busy machine. */
export async function here(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const written = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      written[name] += String(text);
      return true;
    }),
  );
  try {
    const code = await main(argv);
    return { code, ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
