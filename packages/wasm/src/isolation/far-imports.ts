import type { Provided } from "./host-messages.ts";

/**
 * What a guest is linked with for what its host provides on the other side.
 *
 * @param wanted the module's imports
 * @param ask calls a host function by its place among them
 */
export function farImports(
  wanted: readonly WebAssembly.ModuleImportDescriptor[],
  provided: readonly Provided[],
  ask: (index: number, args: readonly unknown[]) => unknown,
): WebAssembly.Imports | undefined {
  if (provided.length === 0) return undefined;
  const imports: WebAssembly.Imports = {};
  for (const { index, value } of provided) {
    const { module, name } = wanted[index] as WebAssembly.ModuleImportDescriptor;
    (imports[module] ??= Object.create(null) as Record<string, WebAssembly.ImportValue>)[name] =
      value ?? ((...args: readonly unknown[]) => ask(index, args));
  }
  return imports;
}
