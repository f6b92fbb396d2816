import type { AdapterModule } from "../subject.ts";
import { declareTests, type BindingOptions } from "./binding.ts";

/** The part of `bun:test` that is used; its types come with Bun alone. */
interface BunTest {
  test: ((name: string, run: () => Promise<void>, timeoutMs?: number) => void) & {
    skip(name: string, run: () => void): void;
  };
}

/** Declares the suite as tests of `bun:test`. */
export async function conformance(adapter: AdapterModule, options?: BindingOptions): Promise<void> {
  const { test } = (await import("bun:test" as string)) as BunTest;
  declareTests(
    {
      test: (name, run) => test(name, run, 60_000),
      skip: (name, reason) => test.skip(`${name} (${reason})`, () => {}),
    },
    adapter,
    options,
  );
}
