import { isKeelsonError, type ErrorCode, type Kernel, type Value } from "keelson";
import type { Usage } from "@keelson/core";
import { escapeHtml } from "./pages/html.ts";
import { whenRunning } from "./waiting.ts";

/** One plugin's part in the making of a page. */
export interface Step {
  readonly id: string;
  /** From the first attempt to the last, waits included. */
  readonly ms: number;
  /** Calls made; more than one when the plugin was being restarted. */
  readonly attempts: number;
  /** What the plugin used, where it is one that can tell. */
  readonly usage?: Usage;
  /** Set when the page goes out without this plugin's work. */
  readonly skipped?: { readonly code: ErrorCode; readonly message: string };
}

/** A page's HTML, and how it came about. */
export interface Rendered {
  readonly html: string;
  readonly steps: readonly Step[];
}

interface Filter {
  readonly id: string;
  readonly method: string;
  /** What the plugin is sent; its answer is the page's text. */
  payload(text: string, path: string): Value;
}

const asText = (text: string): Value => text;

/** The plugins a page goes through, in order: native, a child process, and WebAssembly by two conventions. */
const filters: readonly Filter[] = [
  { id: "markdown", method: "render", payload: asText },
  { id: "highlight", method: "highlight", payload: asText },
  { id: "typography", method: "typeset", payload: asText },
  {
    id: "reading",
    method: "page.html",
    payload: (value, path) => ({ kind: "filter", value, args: [path] }),
  },
];

/** A plugin that is down for a moment; the call may do better when it is up again. */
const passing: ReadonlySet<ErrorCode> = new Set(["MODULE_NOT_RUNNING", "PROCESS_EXITED", "IO"]);

const CALL_MS = 2_000;
/** How long a page waits for a plugin that is being restarted before it goes out without it, ms. */
const PATIENCE_MS = 2_000;

/**
 * Puts Markdown through all filters. Never rejects for a plugin's failure: a filter that is being restarted is waited for, and what then
 * fails still is skipped and named in the steps.
 *
 * The kernel's own `applyFilters` skips silently and cuts off a handler that fails often; Press tells its readers what they miss,
 * and one poisonous page must not cost the others a filter. So it makes the calls itself.
 */
export async function render(kernel: Kernel, path: string, markdown: string): Promise<Rendered> {
  const steps: Step[] = [];
  let text = markdown;
  for (const filter of filters) {
    const outcome = await apply(kernel, filter, text, path);
    steps.push(outcome.step);
    if (outcome.text !== undefined) text = outcome.text;
    // Without Markdown's plugin there is no HTML to go on with, but the text can be read.
    else if (filter.id === "markdown") text = `<pre class="plain">${escapeHtml(text)}</pre>`;
  }
  return { html: text, steps };
}

async function apply(
  kernel: Kernel,
  { id, method, payload }: Filter,
  text: string,
  path: string,
): Promise<{ readonly step: Step; readonly text?: string }> {
  const { clock } = kernel.platform;
  const from = clock.now();
  for (let attempts = 1; ; attempts++) {
    const generation = generationOf(kernel, id);
    try {
      const limits = { timeoutMs: CALL_MS };
      const { value, usage } = await kernel.measure(id, method, payload(text, path), limits);
      if (typeof value !== "string") throw new TypeError(`${id} answered no text`);
      const step = { id, ms: clock.now() - from, attempts, ...(usage === undefined ? {} : { usage }) };
      return { step, text: value };
    } catch (error) {
      const code = isKeelsonError(error) ? error.code : "CALL_FAILED";
      const left = PATIENCE_MS - (clock.now() - from);
      // A process that has just ended counts as running until its last words are read: what called it wants its successor.
      const after = code === "MODULE_NOT_RUNNING" ? 0 : generation;
      if (passing.has(code) && left > 0 && (await whenRunning(kernel, id, left, after))) continue;
      const message = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
      return { step: { id, ms: clock.now() - from, attempts, skipped: { code, message } } };
    }
  }
}

function generationOf(kernel: Kernel, id: string): number {
  return kernel.list().find(({ metadata }) => metadata.id === id)?.generation ?? 0;
}
