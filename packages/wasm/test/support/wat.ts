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

/** Functions that never end by themselves, in the text format, for a module with a memory and a tag `$e`. */
export const RUNAWAYS = `(func (export "spin") (loop br 0))
  (func (export "spin-br-table") (loop (br_table 0 0 0 (i32.const 1))))
  (func (export "spin-memory") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) br 0))
  (func $a (export "spin-calls") (loop (call $b) br 0))
  (func $b)
  (func (export "spin-catch") (loop (try (do (throw $e)) (catch_all)) br 0))
  (func $recurse (export "recurse") (call $recurse))`;
