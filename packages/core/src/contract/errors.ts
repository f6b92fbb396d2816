/**
 * Every code a {@link KeelsonError} can carry, each with one sentence for the documentation.
 * Codes are stable: callers branch on them; messages are for people and may change.
 */
export const errorCodes = {
  // registry and lifecycle
  DUPLICATE_MODULE: "A module with this id is registered already.",
  UNKNOWN_MODULE: "No module with this id is registered.",
  UNKNOWN_KIND: "No loader is registered for this kind of module.",
  MODULE_NOT_RUNNING: "The module is registered but does not take calls in its present state.",
  MODULE_FAILED: "A module's own init, start, stop or health function failed; the cause is kept.",
  MODULE_QUARANTINED: "The module was stopped too often in a short time and is refused for a while.",
  ILLEGAL_TRANSITION: "The operation is not allowed in the module's present state.",
  INIT_TIMEOUT: "The module's init did not settle within its deadline.",
  START_TIMEOUT: "The module's start did not settle within its deadline.",
  STOP_TIMEOUT: "The module's stop did not settle within its deadline.",
  UNHEALTHY: "The module's health check answered that it is not healthy, or failed.",
  RELOAD_FAILED: "The new version did not come up; details.serving tells if the old one serves on.",
  DEPENDENCY_CYCLE: "Modules depend on each other in a circle; the circle is named.",
  DEPENDENCY_MISSING: "A module that this one depends on is not registered, or not in the wanted version.",
  DEPENDENCY_FAILED: "A module that this one depends on could not be started.",
  PHASE_FAILED: "A critical lifecycle hook failed and ended the operation.",
  KERNEL_CLOSED: "The kernel is shutting down or shut down.",
  RESTART_LIMIT: "The module ended more often than its supervisor may restart it.",
  // calls
  UNKNOWN_METHOD: "The module has no such method.",
  CALL_FAILED: "The module's code threw during a call; the cause is kept.",
  CALL_CYCLE: "The call would wait for a lease that its own chain of calls holds.",
  WOULD_BLOCK: "A synchronous call found no value at once.",
  DEADLINE_EXCEEDED: "The call did not end within its time.",
  ABORTED: "The caller's signal ended the operation.",
  QUEUE_FULL: "Too much waits to be sent or answered already; nothing was queued.",
  INVALID_PAYLOAD: "The payload is not plain data and bytes, or is too large for the way it must go.",
  // options, manifests, capabilities
  INVALID_OPTIONS: "An option is missing, of the wrong type or out of range.",
  INVALID_MANIFEST: "The manifest does not fit its schema.",
  DENIED: "The module was not granted this effect.",
  // bus
  INVALID_TOPIC: "The topic or pattern is not well formed.",
  NO_RESPONDER: "Nobody answers requests on this topic.",
  DUPLICATE_RESPONDER: "Somebody answers requests on this topic already.",
  REQUEST_FAILED: "The responder failed; the cause is kept.",
  SUBSCRIPTION_CLOSED: "The subscription has been closed.",
  DOOR_CLOSED: "The module's door is closed: it was stopped, or the power was withdrawn.",
  CURSOR_EXPIRED: "The log no longer holds entries as old as this cursor.",
  // pool
  CHECKOUT_TIMEOUT: "No instance became free within the caller's time.",
  POOL_EXHAUSTED: "The pool's queue of waiting callers is full.",
  POOL_CLOSED: "The pool is closing or closed.",
  LEASE_RELEASED: "The lease was released or discarded before.",
  // wasm
  INVALID_WASM: "The bytes are not a valid WebAssembly module.",
  UNSUPPORTED_WASM: "The module uses a feature that this engine or Keelson cannot run safely.",
  WASM_TOO_LARGE: "The module passes one of the limits set on its size.",
  WASM_TRAP: "The guest trapped; its instance is discarded.",
  WASM_LINK: "The module could not be instantiated with the given imports.",
  MISSING_EXPORT: "The module lacks an export that its ABI profile needs.",
  MISSING_IMPORT: "The module imports something that nobody provides.",
  UNKNOWN_ABI: "No ABI profile has this name, or none fits the module's exports.",
  GUEST_ERROR: "The guest ran to its end and answered with an error of its own.",
  OUT_OF_BOUNDS: "The guest gave a pointer or length outside its memory.",
  OUT_OF_MEMORY: "The guest could not allocate, or reached its memory cap.",
  FUEL_EXHAUSTED: "The guest used up its fuel.",
  STACK_EXHAUSTED: "The guest's calls nested too deep.",
  INVALID_RECORD: "This is no record of a call, or one of another version.",
  REPLAY_DIVERGED: "A recorded call that was run again did not go as recorded.",
  INSTANCE_LIMIT: "The kernel's cap on live WebAssembly instances is reached.",
  WORKER_EXITED: "The thread that ran the guest ended while it was needed.",
  // boundary: child processes
  SPAWN_FAILED: "The command could not be started.",
  MISSING_STDOUT: "The child has no standard output to read.",
  EMPTY_OUTPUT: "The child closed its output before its first event.",
  HANDSHAKE_TIMEOUT: "The child gave no first event within its time.",
  PROCESS_EXITED: "The child ended while it was needed.",
  PROCESS_SURVIVED: "A process could not be ended.",
  IO: "Reading or writing failed.",
  INVALID_JSON: "A line is not JSON.",
  INVALID_SCHEMA: "A line is JSON but not an event.",
  MISSING_FIELD: "An event lacks a field.",
  INVALID_FIELD_TYPE: "A field of an event has the wrong type.",
  SOURCE_MISMATCH: "An event's source is not the kind of its body.",
  LINE_TOO_LONG: "A line passes the limit.",
  INVALID_UTF8: "A line is not UTF-8.",
  MODULE_NOT_CONFIGURED: "The configuration names no such module.",
  MODULE_NOT_DISCOVERED: "The module is configured but not among those to run.",
  // platform
  NOT_FOUND: "A file or folder does not exist.",
  PERMISSION_DENIED: "The system or the runtime refused access.",
  UNSUPPORTED: "This platform lacks what the operation needs.",
  INTERNAL: "A fault in Keelson itself; please report it.",
} as const;

/** A stable error code, see {@link errorCodes}. */
export type ErrorCode = keyof typeof errorCodes;

/** Facts about a failure that a program may read; plain data, so that it crosses any boundary. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** Options of {@link KeelsonError}. */
export interface KeelsonErrorOptions {
  /** What the reader can do next; printed on a line of its own behind `hint:`. */
  readonly hint?: string | undefined;
  /** Facts for programs. */
  readonly details?: ErrorDetails | undefined;
  /** What was caught. Kept as it is, even when it is no Error. */
  readonly cause?: unknown;
}

/** The form in which an error crosses threads, processes and sockets. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: ErrorDetails;
}

const BRAND = Symbol.for("keelson.error");

/**
 * The one error class of Keelson. Branch on {@link KeelsonError.code}.
 * Errors are recognised by brand, not by class, so that two copies of the package agree:
 * use {@link isKeelsonError}.
 */
export class KeelsonError extends Error {
  // Declared, and set in the constructor: to define fields first takes a third of what making one takes.
  declare readonly name: string;
  declare readonly code: ErrorCode;
  declare readonly hint: string | undefined;
  declare readonly details: ErrorDetails | undefined;

  constructor(code: ErrorCode, message: string, given?: KeelsonErrorOptions) {
    const options = given ?? {};
    // Of the options the engine takes the cause, if there is one.
    super(options.hint === undefined ? message : `${message}\n  hint: ${options.hint}`, options);
    this.name = "KeelsonError";
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }

  static {
    Object.defineProperty(this.prototype, BRAND, { value: true });
  }

  /** The form that crosses boundaries; `JSON.stringify` uses it too. */
  toJSON(): WireError {
    return toWireError(this);
  }
}

/** Whether `error` is a {@link KeelsonError}, made by any copy of this package; narrows by `code` if given. */
export function isKeelsonError(error: unknown, code?: ErrorCode): error is KeelsonError {
  try {
    if (typeof error !== "object" || (error as Record<symbol, unknown> | null)?.[BRAND] !== true)
      return false;
    // What throws when it is looked at is none: whoever is told that it is one looks at these.
    const { code: own, details } = error as KeelsonError;
    return typeof own === "string" && details !== null && (code === undefined || own === code);
  } catch {
    return false;
  }
}

/** `error` as it is when it is a {@link KeelsonError}; anything else wrapped under `code`, its text and cause kept. */
export function asKeelsonError(
  error: unknown,
  code: ErrorCode,
  what: string,
  options: KeelsonErrorOptions = {},
): KeelsonError {
  if (isKeelsonError(error)) return error;
  return new KeelsonError(code, `${what}: ${describeThrown(error)}`, { ...options, cause: error });
}

/**
 * The same error with more facts in its details, those that are there already going first; a new one, since an error may be thrown to several.
 *
 * @param whose put in front of the message, which may not say whom it concerns
 * @throws KeelsonError `INVALID_OPTIONS` for what is no error of Keelson's
 */
export function withDetails(
  error: KeelsonError,
  details: ErrorDetails | undefined,
  whose = "",
): KeelsonError {
  if (!isKeelsonError(error))
    throw new KeelsonError("INVALID_OPTIONS", "Details are added to a KeelsonError", {
      hint: "asKeelsonError makes one of anything thrown",
    });
  const { code, hint, stack } = error;
  const more = new KeelsonError(code, `${whose && `${whose}: `}${plainMessage(error)}`, {
    hint,
    details: details && { ...details, ...error.details },
    ...("cause" in error ? { cause: error.cause } : {}),
  });
  if (stack !== undefined) more.stack = stack;
  return more;
}

/**
 * A copy to be kept for long, causes included as far as they are the kernel's own: on V8 an error holds whatever the functions on its stack were called on, until
 * the stack is read, and on Deno for ever.
 */
export function withoutFrames(error: KeelsonError, levels = 4): KeelsonError {
  try {
    const copy = withDetails(error, error.details);
    const { cause } = copy;
    if (levels > 0 && isKeelsonError(cause)) copy.cause = withoutFrames(cause, levels - 1);
    else void (cause as Error | undefined)?.stack;
    return copy;
  } catch {
    // What says that it is one of ours, and throws when it is looked at.
    return error;
  }
}

/** The error's message without its hint, which stands at its end: for a message that goes on. */
export function plainMessage({ message, hint }: KeelsonError): string {
  return message.replace(`\n  hint: ${hint}`, "");
}

/** A short text for anything that can be thrown, `undefined` and hostile objects included; never throws. */
export function describeThrown(error: unknown): string {
  try {
    if (error instanceof Error) return String((error.message as unknown) || error.name);
    if (typeof error === "string") return error;
    if (typeof error === "object" && error !== null && "message" in error) return String(error.message);
    return `thrown ${String(error)}`;
  } catch {
    return "thrown something that cannot be printed";
  }
}

/** The wire form of anything thrown; what is no {@link KeelsonError} crosses as `CALL_FAILED`. */
export function toWireError(error: unknown): WireError {
  if (!isKeelsonError(error)) return { code: "CALL_FAILED", message: describeThrown(error) };
  const { code, message, details } = error;
  return { code, message, ...(details && { details }) };
}

/** An error again, from its wire form; an unknown code becomes `fallback` and is kept in `details.code`. */
export function fromWireError(wire: unknown, fallback: ErrorCode = "CALL_FAILED"): KeelsonError {
  const { code, message, details } = (wire ?? {}) as Record<string, unknown>;
  const text = typeof message === "string" ? message : describeThrown(wire);
  const facts = typeof details === "object" && details !== null ? (details as ErrorDetails) : undefined;
  if (typeof code === "string" && Object.hasOwn(errorCodes, code)) {
    return new KeelsonError(code as ErrorCode, text, { details: facts });
  }
  return new KeelsonError(fallback, text, {
    hint: "the other side gave no code of Keelson's; details.code is what it gave",
    details: { ...facts, code: code ?? null },
  });
}
