import { test } from "vitest";
import type { AdapterModule } from "../subject.ts";
import { declareTests, type BindingOptions } from "./binding.ts";

/** Declares the suite as vitest tests. */
export function conformance(adapter: AdapterModule, options?: BindingOptions): void {
  declareTests(
    {
      test: (name, run) => void test(name, run, 60_000),
      skip: (name, reason) => void test(name, (context) => context.skip(reason)),
    },
    adapter,
    options,
  );
}
