import { test } from "node:test";
import type { AdapterModule } from "../subject.ts";
import { declareTests, type BindingOptions } from "./binding.ts";

/** Declares the suite as tests of `node:test`. */
export function conformance(adapter: AdapterModule, options?: BindingOptions): void {
  declareTests(
    {
      test: (name, run) => void test(name, run),
      skip: (name, reason) => void test(name, { skip: reason }, () => {}),
    },
    adapter,
    options,
  );
}
