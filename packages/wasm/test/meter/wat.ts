import type * as BinaryenModule from "binaryen";

interface WabtModule {
  parseWat(
    name: string,
    text: string,
    features: Record<string, boolean>,
  ): {
    toBinary(options: object): { buffer: Uint8Array };
    destroy(): void;
  };
}

const features = Object.fromEntries(
  (
    "exceptions mutable_globals sat_float_to_int sign_extension simd threads function_references multi_value " +
    "tail_call bulk_memory reference_types memory64 multi_memory extended_const relaxed_simd"
  )
    .split(" ")
    .map((name) => [name, true]),
);

const wabtImport = (await import("wabt")) as unknown as { default?: unknown };
const wabt = await ((wabtImport.default ?? wabtImport) as () => Promise<WabtModule>)();
let binaryen: typeof BinaryenModule.default | undefined;

/** Text format to binary, as written: nothing is optimised away. */
export function wat(text: string): Uint8Array<ArrayBuffer> {
  const parsed = wabt.parseWat("test.wat", text, features);
  try {
    return new Uint8Array(parsed.toBinary({}).buffer);
  } finally {
    parsed.destroy();
  }
}

/** Text format to binary by binaryen, which knows the proposals that wabt does not: garbage collection, call_ref. */
export async function watGc(text: string): Promise<Uint8Array<ArrayBuffer>> {
  binaryen ??= (await import("binaryen")).default;
  const parsed = binaryen.parseText(text);
  try {
    parsed.setFeatures(binaryen.Features.All);
    return new Uint8Array(parsed.emitBinary());
  } finally {
    parsed.dispose();
  }
}
