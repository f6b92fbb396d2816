import process from "node:process";
import { KeelsonError, type Clock, type Envelope, type Kernel } from "@keelson/core";
import { requireOptions } from "@keelson/core/plain";
import { formatEvent, formatStatus } from "./status.ts";
import { cut } from "./text.ts";

/** Where a display is drawn; `process.stdout` is one. */
export interface DisplayOutput {
  write(text: string): unknown;
  /** Whether it is a terminal. Default false. */
  readonly isTTY?: boolean;
  /** The terminal's size in characters. Default 80 × 24. */
  readonly columns?: number;
  readonly rows?: number;
}

/** Options of {@link createDisplay}. */
export interface DisplayOptions {
  /** Default: standard output. */
  readonly output?: DisplayOutput;
  /** Lines above the table, asked for at each drawing. */
  readonly heading?: () => readonly string[];
  /** Use colours. Default: on a terminal, unless the variable `NO_COLOR` is set. */
  readonly color?: boolean;
  /** The least time between two drawings, ms. Default 100. */
  readonly everyMs?: number;
}

/**
 * What is shown of a kernel while it runs: on a terminal a table that is redrawn in its place, elsewhere a line an event. Disposing it
 * leaves the last table on the screen.
 */
export interface Display extends Disposable {
  /** Whether a table is drawn. */
  readonly live: boolean;
  /** Prints lines: above the table where there is one. */
  line(text: string): void;
  /** Begins to show a kernel. `INVALID_OPTIONS` for what is none. */
  show(kernel: Kernel): void;
}

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
/** A slow tick shows what no event tells, such as the calls in flight. */
const TICK_MS = 1000;

/**
 * Makes a display. Make it before the kernel, and hand its `line` to the platform's log, so that records do not tear the table:
 * `createKernel({ platform: { log: { write: display.line } } })`.
 *
 * @throws KeelsonError `INVALID_OPTIONS`
 */
export function createDisplay(given?: DisplayOptions): Display {
  requireOptions(
    "display",
    given,
    { output: "object", heading: "function", color: "boolean", everyMs: 0 },
    Infinity,
  );
  const options = given ?? {};
  const output: DisplayOutput = options.output ?? process.stdout;
  if (typeof output.write !== "function")
    throw new KeelsonError("INVALID_OPTIONS", "A display is drawn on something with write()", {
      hint: "give `output` a stream such as process.stderr, or leave it out",
    });
  const color = options.color ?? useColor(output);
  return output.isTTY === true ? new LiveTable(output, { ...options, color }) : new EventLines(output, color);
}

/** Whether to colour what goes to `output`: on a terminal, unless `NO_COLOR` is set to anything. */
export function useColor(output: Pick<DisplayOutput, "isTTY">): boolean {
  return output.isTTY === true && !process.env["NO_COLOR"];
}

/** Listens to what the kernel itself tells, and to no topic of the modules. @throws KeelsonError `INVALID_OPTIONS` for what is no kernel */
export function onKernelEvents(kernel: Kernel, listener: (envelope: Envelope) => void): Disposable {
  if (typeof kernel?.bus?.on !== "function")
    throw new KeelsonError("INVALID_OPTIONS", "A display shows a kernel", {
      hint: "give what createKernel answers, awaited",
    });
  const listening = ["module.*", "supervisor.*", "kernel.*"].map((pattern) =>
    kernel.bus.on(pattern, listener),
  );
  return {
    [Symbol.dispose]() {
      for (const each of listening) each[Symbol.dispose]();
    },
  };
}

/** A line an event, for logs and pipes. */
class EventLines implements Display {
  readonly live = false;
  readonly #output: DisplayOutput;
  readonly #color: boolean;
  #listening: Disposable | undefined;

  constructor(output: DisplayOutput, color: boolean) {
    this.#output = output;
    this.#color = color;
  }

  readonly line = (text: string): void => void this.#output.write(`${text}\n`);

  show(kernel: Kernel): void {
    const listening = onKernelEvents(kernel, (envelope) => {
      const line = formatEvent(envelope, { color: this.#color });
      if (line !== undefined) this.line(line);
    });
    this.#listening?.[Symbol.dispose]();
    this.#listening = listening;
  }

  [Symbol.dispose](): void {
    this.#listening?.[Symbol.dispose]();
    this.#listening = undefined;
  }
}

/** A table that is drawn over its last drawing. */
class LiveTable implements Display {
  readonly live = true;
  readonly #output: DisplayOutput;
  readonly #options: DisplayOptions & { readonly color: boolean };
  #kernel: Kernel | undefined;
  #listening: Disposable | undefined;
  #timer: Disposable | undefined;
  /** Whether the timer is the slow one, which may be replaced by a faster one. */
  #tick = false;
  #drawnLines = 0;
  #drawnAt = -Infinity;

  constructor(output: DisplayOutput, options: DisplayOptions & { readonly color: boolean }) {
    this.#output = output;
    this.#options = options;
  }

  readonly line = (text: string): void => {
    if (this.#kernel === undefined) return void this.#output.write(`${text}\n`);
    this.#paint(`${text}\n`);
  };

  show(kernel: Kernel): void {
    const listening = onKernelEvents(kernel, () => this.#soon(this.#options.everyMs ?? 100));
    this.#stop();
    this.#kernel = kernel;
    this.#output.write(HIDE_CURSOR);
    // Whatever ends the program, the cursor comes back.
    process.on("exit", this.#showCursor);
    this.#listening = listening;
    this.#draw();
  }

  [Symbol.dispose](): void {
    if (this.#kernel === undefined) return;
    this.#paint("");
    this.#stop();
    this.#kernel = undefined;
    this.#drawnLines = 0;
    process.off("exit", this.#showCursor);
    this.#showCursor();
  }

  readonly #showCursor = (): void => void this.#output.write(SHOW_CURSOR);

  #stop(): void {
    this.#listening?.[Symbol.dispose]();
    this.#listening = undefined;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#tick = false;
  }

  /** Draws in a moment: at once when the last drawing is long ago, else when `everyMs` have passed since. */
  #soon(everyMs: number): void {
    if (this.#timer !== undefined && !this.#tick) return;
    const clock = this.#clock();
    this.#timer?.[Symbol.dispose]();
    this.#tick = false;
    this.#timer = clock.after(Math.max(0, this.#drawnAt + everyMs - clock.now()), () => this.#draw(), true);
  }

  #draw(): void {
    this.#paint("");
    this.#timer = this.#clock().after(TICK_MS, () => this.#draw(), true);
    this.#tick = true;
  }

  #paint(above: string): void {
    const back = this.#drawnLines === 0 ? "" : `\u001b[${this.#drawnLines}A`;
    const lines = this.#lines();
    this.#drawnLines = lines.length;
    this.#drawnAt = this.#clock().now();
    // One write, so that no half of it is ever seen.
    this.#output.write(`${back}\r\u001b[0J${above}${lines.map((line) => `${line}\n`).join("")}`);
  }

  #lines(): string[] {
    const columns = this.#output.columns || 80;
    const rows = this.#output.rows || 24;
    const heading = (this.#options.heading?.() ?? []).map((line) => cut(line, columns));
    const modules = this.#kernel?.list() ?? [];
    const table = formatStatus(modules, { columns, color: this.#options.color }).split("\n");
    const all = [...heading, ...table];
    // What is taller than the screen could not be drawn over.
    const room = Math.max(rows - 1, 1);
    return all.length <= room ? all : [...all.slice(0, room - 1), `… and ${all.length - room + 1} more`];
  }

  #clock(): Clock {
    return (this.#kernel as Kernel).platform.clock;
  }
}
