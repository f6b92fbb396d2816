import type { Envelope } from "../contract/bus.ts";
import type { QueueSubscription } from "./subscription.ts";

/** What runs with each envelope that reaches it. */
export type Listener = (envelope: Envelope) => unknown;

/** One who hears envelopes: a listener, or the queue of a subscription. */
export interface Sink {
  readonly pattern: readonly string[];
  /** Who listens. */
  readonly source: string;
  /** Order of coming. Set when it goes on the bus. */
  serial: number;
  /** Whether it is on the bus: nothing reaches it otherwise. */
  live: boolean;
  readonly listener: Listener;
  readonly queue: QueueSubscription | undefined;
  failures: number;
}

/** All that a publish on a topic has to know. Made once a topic, and replaced when those who hear it change. */
export interface Route {
  readonly topic: string;
  readonly reserved: boolean;
  readonly logged: boolean;
  /** Whether a full queue can hold up a `send`. */
  readonly blocking: boolean;
  /** In the order they came. */
  readonly sinks: readonly Sink[];
  /** Their listeners, by themselves: with many of them the way through the sink would be half the cost. */
  readonly listeners: Listener[];
}
