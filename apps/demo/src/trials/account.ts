import type { Rendered } from "../pipeline.ts";

/** What was done to a plugin, and what became of it. */
export interface Account {
  readonly title: string;
  /** Whether the kernel kept its promise. */
  readonly kept: boolean;
  readonly story: string;
  /** Shown as bad news although the kernel kept its promise. */
  readonly alarming?: boolean;
  readonly facts: readonly Fact[];
  /** The page that the trial was made with, if it was one. */
  readonly page?: Rendered;
}

/** One line of an account. */
export interface Fact {
  readonly name: string;
  readonly value: string | number;
}

/** A time for people. */
export function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
