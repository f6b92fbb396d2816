// Stands in for the compiler's own declarations when tests are type-checked: those declare `console` and other globals
// anew, for the whole program.

/** Runs the AssemblyScript compiler as its command line would; `error` is null when it compiled. */
export declare function main(args: readonly string[]): Promise<{ readonly error: Error | null }>;
