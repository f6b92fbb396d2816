/** One repository check. It resolves to a line for the report, or throws an Error that says what to change. */
export interface Check {
  readonly name: string;
  readonly title: string;
  run(): Promise<string>;
}

/** Throws one Error for all `problems`, or returns `fine` when there are none. */
export function settle(problems: readonly string[], fine: string): string {
  if (problems.length > 0) throw new Error(problems.map((problem) => `- ${problem}`).join("\n"));
  return fine;
}
