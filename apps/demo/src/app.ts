import { readFile } from "node:fs/promises";
import { openMetricsContentType } from "@keelson/core";
import type { Kernel, Value } from "keelson";
import type { Library } from "./library.ts";
import { render, type Rendered } from "./pipeline.ts";
import type { PressCounts } from "./press.ts";
import type { PressRequest, PressResponse } from "./server.ts";
import { runawayPage } from "./pages/runaway-view.ts";
import type { Traffic } from "./traffic.ts";
import { isLoose, isTrial, type Trials } from "./trials/trials.ts";
import { accountPage, errorPage, indexPage, markdownPage, trialForm } from "./pages/views.ts";

const TEXT = "text/html; charset=utf-8";

/** Pages are text and our own style: no script, no form, no frame, nothing from elsewhere but pictures. */
const SAFETY: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; img-src 'self' https: data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  // Without it browsers would not tell of their own forms where they come from.
  "referrer-policy": "same-origin",
  "cache-control": "no-store",
};

/** The page with the heartbeat runs a script of Press's own and asks Press alone. */
const WITH_SCRIPT = "; script-src 'self'; connect-src 'self'";

/** Answers requests: what Press does, without the sockets. */
export class App {
  readonly #kernel: Kernel;
  readonly #library: Library;
  readonly #trials: Trials;
  readonly #traffic: Traffic;
  readonly #startedAt: number;
  #served = 0;
  #failed = 0;
  #degraded = 0;
  #rollbacks = 0;

  constructor(kernel: Kernel, library: Library, trials: Trials, traffic: Traffic) {
    this.#kernel = kernel;
    this.#library = library;
    this.#trials = trials;
    this.#traffic = traffic;
    this.#startedAt = kernel.platform.clock.now();
    // Both end with the kernel.
    kernel.bus.on("module.reload_failed", ({ data }) => {
      if (data.serving) this.#rollbacks++;
    });
    this.#publishCounts();
  }

  get counts(): PressCounts {
    let restarts = 0;
    for (const { supervisor } of this.#kernel.list()) restarts += supervisor?.restarts ?? 0;
    return {
      served: this.#served,
      failed: this.#failed,
      degraded: this.#degraded,
      restarts,
      rollbacks: this.#rollbacks,
    };
  }

  /** Never rejects: what goes wrong is a page with status 500. */
  async answer(request: PressRequest): Promise<PressResponse> {
    let response: PressResponse;
    try {
      response = await this.#route(request);
    } catch (error) {
      this.#kernel.platform.log.write("error", "A request failed", { path: request.path, error });
      response = page(500, errorPage("Something went wrong", "The log of Press says more."));
    }
    this.#served++;
    if (response.status >= 500) this.#failed++;
    if (!request.path.startsWith("/try/")) this.#traffic.note();
    return { ...response, headers: { ...SAFETY, ...response.headers } };
  }

  async #route(request: PressRequest): Promise<PressResponse> {
    const { method, path: encoded, fate } = request;
    if (fate === "too large") return page(413, errorPage("Too large", "Press has no use for a body."));
    if (fate === "too slow")
      return page(408, errorPage("Too slow", "The end of the body did not come in time."));
    let path: string;
    try {
      path = decodeURIComponent(encoded);
    } catch {
      return page(400, errorPage("Bad address", "The address is not encoded as UTF-8."));
    }
    if (path.startsWith("/try/")) return this.#try(path.slice("/try/".length), request);
    if (method !== "GET" && method !== "HEAD") {
      return notAllowed("GET, HEAD", errorPage("Not allowed", "Press answers GET and HEAD here."));
    }
    if (path === "/") return withForms(await this.#index());
    if (path === "/pages" || path === "/pages/") return { status: 302, body: "", headers: { location: "/" } };
    if (path.startsWith("/pages/")) return this.#page(path.slice("/pages/".length), method === "GET");
    if (path === "/runaway") return withForms(page(200, runawayPage(this.#runtime())), WITH_SCRIPT);
    if (path === "/heartbeat") return text("application/json; charset=utf-8", "{}");
    if (path === "/metrics") return text(openMetricsContentType, this.#kernel.metrics.text());
    if (path === "/status") return text("application/json; charset=utf-8", this.#status());
    if (path === "/style.css") return text("text/css; charset=utf-8", await readSource("style.css"));
    if (path === "/runaway.js") return text("text/javascript; charset=utf-8", await readSource("runaway.js"));
    return page(404, errorPage("Not found", "There is no such page."));
  }

  async #index(): Promise<PressResponse> {
    const visits = await this.#kernel.invoke("visits", "counts").catch(() => ({}));
    return page(
      200,
      indexPage(
        await this.#library.list(),
        visits as Readonly<Record<string, number>>,
        this.#kernel.list(),
        this.counts,
      ),
    );
  }

  async #page(path: string, read: boolean): Promise<PressResponse> {
    const wish = await this.#library.read(path);
    if (wish.kind === "page") {
      const rendered = await render(this.#kernel, path, wish.markdown);
      if (read) void this.#kernel.hooks.runActions("page.served", path);
      return this.#rendered(200, markdownPage(path, rendered), rendered);
    }
    // A folder's address leads to its README, as readers of repositories expect.
    const folder = path.replace(/\/$/, "");
    const readme = path.endsWith(".md") ? undefined : await this.#library.read(`${folder}/README.md`);
    if (readme?.kind === "page") {
      const location = `/pages/${folder.split("/").map(encodeURIComponent).join("/")}/README.md`;
      return { status: 302, body: "", headers: { location } };
    }
    if (wish.kind === "missing") return page(404, errorPage("Not found", `There is no page ${path}.`));
    return page(403, errorPage("Refused", `${wish.reason[0]?.toUpperCase()}${wish.reason.slice(1)}.`));
  }

  /** Trials change something, so a look at one starts none, and no other site makes a reader's browser start one. */
  async #try(name: string, { method, own, wantsJson }: PressRequest): Promise<PressResponse> {
    if (!isTrial(name)) return page(404, errorPage("Not found", "There is no such trial."));
    if (method !== "POST") {
      const story = `A trial is started by its button below, or by "curl -X POST" and this address.`;
      return withForms(notAllowed("POST", errorPage("Not started", story, trialForm(name))));
    }
    if (!own) return page(403, errorPage("Refused", "Trials are started from Press itself."));
    const account = await this.#trials.run(name);
    if (wantsJson) {
      const { title, story, kept, alarming = false, facts } = account;
      return text("application/json; charset=utf-8", JSON.stringify({ title, story, kept, alarming, facts }));
    }
    const body = accountPage(account, isLoose(name));
    return withForms(this.#rendered(account.kept ? 200 : 500, body, account.page));
  }

  #rendered(status: number, body: string, rendered: Rendered | undefined): PressResponse {
    const steps = rendered?.steps ?? [];
    const skipped = steps.filter((step) => step.skipped !== undefined).map(({ id }) => id);
    if (skipped.length > 0) this.#degraded++;
    return {
      status,
      body,
      headers: {
        "content-type": TEXT,
        ...(steps.length === 0
          ? {}
          : { "server-timing": steps.map(({ id, ms }) => `${id};dur=${ms.toFixed(1)}`).join(", ") }),
        ...(skipped.length === 0 ? {} : { "press-skipped": skipped.join(", ") }),
      },
    };
  }

  #runtime(): string {
    const { name, version } = this.#kernel.platform;
    return `${name} ${version}`;
  }

  #status(): string {
    const { name, version, clock } = this.#kernel.platform;
    const modules = this.#kernel.list().map(({ metadata, error, ...status }) => ({
      ...metadata,
      ...status,
      ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
    }));
    const uptime_ms = Math.round(clock.now() - this.#startedAt);
    return `${JSON.stringify({ runtime: { name, version }, uptime_ms, counts: this.counts, modules }, null, 2)}\n`;
  }

  #publishCounts(): void {
    const { metrics } = this.#kernel;
    const series: readonly (readonly [string, string, () => Value])[] = [
      ["press_requests_total", "Requests that were answered.", () => this.#served],
      ["press_failed_requests_total", "Requests that were answered with a server error.", () => this.#failed],
      ["press_degraded_pages_total", "Pages that went out without a filter.", () => this.#degraded],
      ["press_rollbacks_total", "Replacements that were rolled back.", () => this.#rollbacks],
    ];
    for (const [name, help, sample] of series) {
      metrics.observe("counter", name, { help }, {}, () => Number(sample()));
    }
  }
}

function page(status: number, body: string): PressResponse {
  return { status, body, headers: { "content-type": TEXT } };
}

function text(type: string, body: string): PressResponse {
  return { status: 200, body, headers: { "content-type": type } };
}

function notAllowed(allow: string, body: string): PressResponse {
  const refused = page(405, body);
  return { ...refused, headers: { ...refused.headers, allow } };
}

/** Pages with buttons may send forms, to Press alone. */
function withForms(response: PressResponse, more = ""): PressResponse {
  const policy = SAFETY["content-security-policy"]?.replace("form-action 'none'", "form-action 'self'");
  return {
    ...response,
    headers: { ...response.headers, "content-security-policy": `${policy}${more}` },
  };
}

function readSource(name: string): Promise<string> {
  return readFile(new URL(`pages/${name}`, import.meta.url), "utf8");
}
