import type { AdapterModule } from "../subject.ts";
import { declareTests, type BindingOptions } from "./binding.ts";

declare const Deno: {
  test(options: {
    readonly name: string;
    readonly fn: () => void | Promise<void>;
    readonly ignore?: boolean;
  }): void;
};

/** Declares the suite as tests of `Deno.test`; its own sanitizers watch for leaks as well. */
export function conformance(adapter: AdapterModule, options?: BindingOptions): void {
  declareTests(
    {
      test: (name, fn) => Deno.test({ name, fn }),
      skip: (name, reason) => Deno.test({ name: `${name} (skipped: ${reason})`, fn: () => {}, ignore: true }),
    },
    adapter,
    options,
  );
}
