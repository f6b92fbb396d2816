import loadWabt from "wabt";

const wabt = await loadWabt();

/** Assembles text; all finished proposals are on. */
export function wat(text: string): Uint8Array<ArrayBuffer> {
  const features = {
    bulk_memory: true,
    reference_types: true,
    multi_value: true,
    exceptions: true,
    threads: true,
    multi_memory: true,
    memory64: true,
    tail_call: true,
  };
  const module = wabt.parseWat("test.wat", text, features);
  try {
    return new Uint8Array(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}
