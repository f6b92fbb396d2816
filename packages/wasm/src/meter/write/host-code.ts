import {
  CALL,
  EMPTY,
  END,
  globalGet,
  globalSet,
  i32Eq,
  i32LtS,
  i32Or,
  i32Sub,
  IF,
  localTee,
} from "../bytecode.ts";
import type { FrameCode } from "./frame.ts";
import type { FunctionCode } from "./function-code.ts";
import * as helpers from "./helpers.ts";
import { HOST_FRAME_BYTES, PARKED, PARKED_BELOW } from "../layout.ts";

/** Where the host may have run, and so time may have passed: calls of imports and of unknown functions, and handlers. */
export class HostCode {
  readonly #code: FunctionCode;
  readonly #frame: FrameCode;

  constructor(code: FunctionCode, frame: FrameCode) {
    this.#code = code;
    this.#frame = frame;
  }

  /** Remembers the counter before a call of unknown target: whoever is metered will have lowered it. */
  beforeUnknown(): void {
    const { checksHost, out, layout } = this.#code;
    if (checksHost) {
      this.#code.pushCounter();
      out.op(globalSet, layout.mark);
    }
    this.#code.toGlobal();
    this.#frame.tell();
  }

  /** If nothing metered ran since the last call of unknown target, the host did. `stays`: see {@link FunctionCode.toLocal}. */
  afterUnknown(stays = false): void {
    const code = this.#code;
    const { out, layout } = code;
    if (!code.checksHost) {
      code.toLocal(stays);
      return;
    }
    out.op(globalGet, layout.fuel);
    if (code.plan.local && !stays) out.op(localTee, code.counter);
    out.op(globalGet, layout.mark);
    out.byte(i32Eq);
    this.#openRarely();
    out.op(CALL, layout.numberOf(helpers.afterHost));
    code.toLocal(stays);
    out.byte(END);
  }

  /** A call of an import: the counter is parked meanwhile, so that a handler that catches its failure asks the host. */
  callImport(call: () => void, stays = false): void {
    const code = this.#code;
    const { checksHost, out, layout } = code;
    if (checksHost) {
      code.pushCounter();
      out.i32(PARKED);
      out.byte(i32Sub);
      out.op(globalSet, layout.fuel);
      code.giveAway();
    } else code.toGlobal();
    this.#frame.tell(HOST_FRAME_BYTES);
    call();
    if (checksHost) out.op(CALL, layout.numberOf(helpers.afterHost));
    code.toLocal(stays);
  }

  /** Where an exception was caught: depth is as this function left it, and time may have passed in the host. */
  landing(): void {
    const code = this.#code;
    const { out, layout } = code;
    const knows = code.plan.local && code.scan.hasTryTable;
    if (knows) {
      code.pushGivenAway();
      this.#openRarely();
    }
    if (code.checksHost) {
      out.op(globalGet, layout.fuel);
      out.op(globalGet, layout.mark);
      out.byte(i32Eq);
      out.op(globalGet, layout.fuel);
      out.i32(PARKED_BELOW);
      out.byte(i32LtS);
      out.byte(i32Or);
      this.#openRarely();
      out.op(CALL, layout.numberOf(helpers.afterCatch));
      out.byte(END);
    }
    code.toLocal();
    if (knows) out.byte(END);
  }

  #openRarely(): void {
    this.#code.rarely(IF);
    this.#code.out.byte(EMPTY);
  }
}
