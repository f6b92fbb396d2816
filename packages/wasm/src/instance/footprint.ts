/** What one instance takes of linear memory, and of what else its governor counts. */
export class Footprint {
  readonly #memories: ReadonlySet<WebAssembly.Memory>;
  /** What imported memories took before the guest ran; what it adds to them is counted with its own. */
  readonly #lentBytes: number;

  constructor(exports: WebAssembly.Exports, imports: WebAssembly.Imports) {
    const lent = Object.values(imports).flatMap(memoriesIn);
    this.#memories = new Set([...memoriesIn(exports), ...lent]);
    this.#lentBytes = [...new Set(lent)].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  }

  /**
   * Bytes taken by now. Nothing is ever given back, so that is the peak. A memory that is neither exported nor imported is known to the
   * governor alone.
   *
   * @param counted what the governor counted, bytes; 0 without one
   */
  peakBytes(counted: number): number {
    let seen = 0;
    for (const { buffer } of this.#memories) seen += buffer.byteLength;
    return counted === 0 ? seen : Math.max(seen, counted + this.#lentBytes);
  }
}

function memoriesIn(values: WebAssembly.Exports | WebAssembly.Imports[string]): WebAssembly.Memory[] {
  return Object.values(values).filter((one) => one instanceof WebAssembly.Memory);
}
