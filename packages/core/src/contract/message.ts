import type { Value } from "./value.ts";

/**
 * The boundary's wire form, snake_case JSON, one object a line. Events as MobKit has them; requests and replies are Keelson's addition and
 * are told apart by their keys.
 */
export interface EventEnvelope {
  readonly event_id: string;
  /** The kind of the event, which `event.kind` must match. */
  readonly source: "module" | "agent";
  /** Milliseconds since 1970, a non-negative integer. */
  readonly timestamp_ms: number;
  readonly event: ModuleEvent | AgentEvent;
}

/** Something that a module says; `payload` may be any plain data, null included. */
export interface ModuleEvent {
  readonly kind: "module";
  readonly module: string;
  readonly event_type: string;
  readonly payload: Value;
}

/** Something that an agent inside a child says; without a payload. */
export interface AgentEvent {
  readonly kind: "agent";
  readonly agent_id: string;
  readonly event_type: string;
}

/** Host → child and child → host: answer this. `timeout_ms` is what is left of the call's time; absent means no limit. */
export interface RequestLine {
  readonly request_id: string;
  readonly method: string;
  readonly payload?: Value;
  readonly timeout_ms?: number;
  /** Child → host only: the module to call; absent means the host's own handler. */
  readonly module?: string;
}

/** The asker no longer waits. */
export interface CancelLine {
  readonly cancel_id: string;
}

/** The answer to a request: a result or an error. */
export type ReplyLine =
  | { readonly reply_id: string; readonly result: Value }
  | {
      readonly reply_id: string;
      readonly error: { readonly code: string; readonly message: string; readonly details?: Value };
    };
