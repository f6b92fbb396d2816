import type { Cursor, Envelope, SizedBus } from "../contract/bus.ts";
import type { Scope } from "../contract/module.ts";
import type { Value } from "../contract/value.ts";
import { ExchangeDoor, type BusDoor } from "./door.ts";
import { Exchange, type BusOptions } from "./exchange.ts";
import { Requests } from "./requests.ts";
import { invalidOptions, requirePorts } from "../primitives/invalid-options.ts";

/** The bus as the kernel holds it: it publishes as "kernel", and on all topics. Hosts and modules get doors to it. */
export interface KernelBus extends SizedBus, Disposable {
  /** Publishes on behalf of `source`, on any topic. */
  publishAs(source: string, topic: string, data: Value, correlationId?: string): void;
  /** What the log keeps, in the order (timestamp, id, source), behind `from` if given. @throws KeelsonError `CURSOR_EXPIRED` */
  events(from?: Cursor): readonly Envelope[];
  /**
   * `source` is about to be replaced: requests on the topics that it answers wait, where nobody answers meanwhile, each for its own time and at most `max`
   * of them, until the handle is disposed. One hold of a source at a time.
   */
  hold(source: string, max: number): Disposable;
  /**
   * Ends the bus: subscriptions end after what they hold; waiting sends and requests are rejected, and every later use, with
   * `KERNEL_CLOSED`. Twice is fine.
   */
  close(): void;
}

/** Options of {@link createBusDoor}. */
export interface BusDoorOptions {
  /** What envelopes published here carry as their source. */
  readonly source: string;
  /** Whether what is registered receives from the start. Default false: from {@link BusDoor.activate} on. Publishing works at once. */
  readonly live?: boolean;
  /** Closes the door when it ends. */
  readonly scope?: Scope;
}

class ExchangeBus extends ExchangeDoor implements KernelBus {
  readonly exchange: Exchange;
  readonly requests: Requests;

  constructor(exchange: Exchange, requests: Requests) {
    super({ exchange, requests, source: "kernel", privileged: true, live: true });
    this.exchange = exchange;
    this.requests = requests;
  }

  publishAs(source: string, topic: string, data: Value, correlationId?: string): void {
    this.exchange.emit(this.exchange.route(topic), source, data, correlationId);
  }

  events(from?: Cursor): readonly Envelope[] {
    return this.exchange.history.after(from);
  }

  hold(source: string, max: number): Disposable {
    return this.requests.hold(source, max);
  }

  override close(): void {
    this.exchange.close();
  }
}

/**
 * Makes a bus of its own, as each kernel has one: for tests, and for those who want a bus alone.
 * @throws KeelsonError `INVALID_OPTIONS`, `INVALID_TOPIC` for a pattern in `logged`
 */
export function createBus(options: BusOptions): KernelBus {
  requirePorts("createBus", options, "clock", "random", "log");
  const exchange = new Exchange(options);
  return new ExchangeBus(exchange, new Requests(exchange));
}

/**
 * Opens a door to `bus`: what is published there carries `source`, topics of the kernel are refused with `DENIED`, and
 * closing it ends all that was registered or waits there; every later use is `DOOR_CLOSED`.
 */
export function createBusDoor(bus: KernelBus, options: BusDoorOptions): BusDoor {
  if (!(bus instanceof ExchangeBus))
    throw invalidOptions("A door can only be opened to a bus", "give one that createBus made");
  const { exchange, requests } = bus;
  const { source, live = false, scope } = options;
  const door = new ExchangeDoor({ exchange, requests, source, privileged: false, live });
  scope?.defer(() => door.close());
  return door;
}
