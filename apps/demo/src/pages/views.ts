import type { ModuleStatus } from "keelson";
import { Html, markup, type Part } from "./html.ts";
import type { PageEntry } from "../library.ts";
import type { Rendered, Step } from "../pipeline.ts";
import type { PressCounts } from "../press.ts";
import type { Account } from "../trials/account.ts";
import {
  breakageNames,
  isLoose,
  looseNames,
  type BreakageName,
  type LooseName,
  type TrialName,
} from "../trials/trials.ts";

const invitations: Readonly<Record<BreakageName, string>> = {
  trap: "Make a WebAssembly plugin trap",
  kill: "Kill the child process with SIGKILL",
  "replace-broken": "Replace a plugin with a broken version",
  "replace-good": "Replace a plugin with a good version",
};

/** What each trial with a runaway is called on its button. */
export const looseInvitations: Readonly<Record<LooseName, string>> = {
  endless: "An endless loop",
  stubborn: "A loop that catches and retries",
  hungry: "A memory bomb",
  deep: "Endless recursion",
  crowd: "100 runaways at once",
  turns: "32 runaways that take turns",
  terminate: "What worker.terminate() does here",
};

/** The list of pages, with the plugins and what can be done to them. */
export function indexPage(
  pages: readonly PageEntry[],
  visits: Readonly<Record<string, number>>,
  modules: readonly ModuleStatus[],
  counts: PressCounts,
): string {
  return layout(
    "Press",
    markup`<header class="masthead">
        <h1>Press</h1>
        <p>
          The Markdown files of this repository, made into pages by plugins: JavaScript, WebAssembly and a child
          process. Break one, and the others go on.
        </p>
      </header>
      <section>
        <h2>Try it</h2>
        ${breakageButtons()}
        <p><a href="/runaway">Start plugins that never end</a>, beside a heartbeat that does not stop.</p>
      </section>
      <section>
        <h2>Plugins</h2>
        ${moduleTable(modules)}
        <p class="counts">
          ${counts.served} requests served, ${counts.failed} failed, ${counts.degraded} pages without a filter ·
          ${counts.restarts} restarts, ${counts.rollbacks} rollbacks · <a href="/status">status</a> ·
          <a href="/metrics">metrics</a>
        </p>
      </section>
      <section>
        <h2>Pages</h2>
        <ul class="pages">
          ${pages.map(
            ({ path, title }) =>
              markup`<li>
                <a href="/pages/${path.split("/").map(encodeURIComponent).join("/")}">${title}</a>
                <small>${path}${visitsOf(visits[path])}</small>
              </li>`,
          )}
        </ul>
      </section>`,
  );
}

/** One page. */
export function markdownPage(path: string, rendered: Rendered): string {
  return layout(
    `${path} · Press`,
    markup`${breadcrumb(path)}
      <article>${new Html(rendered.html)}</article>
      ${credits(rendered.steps)}`,
  );
}

/** What a trial did, and what became of it. */
export function accountPage({ title, story, facts, kept, alarming, page }: Account, loose: boolean): string {
  return layout(
    `${title} · Press`,
    markup`${breadcrumb("try")}
      <section class="account ${kept && alarming !== true ? "kept" : "broken"}">
        <h1>${title}</h1>
        <p>${story}</p>
        <dl>
          ${facts.map(({ name, value }) => markup`<dt>${name}</dt><dd>${value}</dd>`)}
        </dl>
      </section>
      ${page !== undefined && markup`<article>${new Html(page.html)}</article>${credits(page.steps)}`}
      <section>
        <h2>Again</h2>
        ${loose ? looseButtons() : breakageButtons()}
      </section>`,
  );
}

/** A page that says why there is none, and what to do instead. */
export function errorPage(title: string, story: string, instead?: Html): string {
  return layout(`${title} · Press`, markup`${breadcrumb("")}<h1>${title}</h1><p>${story}</p>${instead}`);
}

/** A whole page around its body. */
export function layout(title: string, body: Html, head?: Html): string {
  const page = markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="stylesheet" href="/style.css" />
        <link rel="icon" href="data:," />
        ${head}
      </head>
      <body>
        <main>${body}</main>
      </body>
    </html>`;
  return page.text;
}

/** Where the reader is. */
export function breadcrumb(path: string): Html {
  return markup`<nav aria-label="Where you are"><a href="/">Press</a>${path !== "" && markup` <span>/ ${path}</span>`}</nav>`;
}

/** Which plugins a page went through, and which it goes without. */
function credits(steps: readonly Step[]): Html {
  const skipped = steps.filter((step) => step.skipped !== undefined);
  return markup`<footer>
    ${skipped.map(
      ({ id, skipped: reason }) =>
        markup`<p class="skipped">This page is served without the plugin <b>${id}</b>: ${reason?.code}, ${reason?.message}</p>`,
    )}
    <p>
      Made by
      ${joined(
        steps
          .filter((step) => step.skipped === undefined)
          .map(
            ({ id, ms, attempts, usage }) =>
              markup`${id} <small>${ms.toFixed(1)} ms${attempts > 1 && `, ${attempts} attempts`}${usage !== undefined && `, ${usage.fuel.toLocaleString("en")} fuel`}</small>`,
          ),
      )}
    </p>
  </footer>`;
}

function joined(parts: readonly Html[]): Part {
  return parts.flatMap((part, index) => (index === 0 ? [part] : [" · ", part]));
}

/** The trials with runaways, as buttons that work without a script. */
export function looseButtons(): Html {
  return markup`<ul class="trials" id="trials">
    ${looseNames.map((name) => markup`<li>${trialForm(name)}</li>`)}
  </ul>`;
}

function breakageButtons(): Html {
  return markup`<ul class="trials">
    ${breakageNames.map((name) => markup`<li>${trialForm(name)}</li>`)}
  </ul>`;
}

/** The button that starts a trial. */
export function trialForm(name: TrialName): Html {
  const invitation = isLoose(name) ? looseInvitations[name] : invitations[name];
  return markup`<form class="trial" method="post" action="/try/${name}"><button>${invitation}</button></form>`;
}

function moduleTable(modules: readonly ModuleStatus[]): Html {
  return markup`<table>
    <thead>
      <tr>${["plugin", "kind", "version", "state", "generation", "restarts"].map((name) => markup`<th scope="col">${name}</th>`)}</tr>
    </thead>
    <tbody>
      ${modules.map(
        ({ metadata, state, generation, supervisor }) =>
          markup`<tr>
            <th scope="row" title="${metadata.description ?? ""}">${metadata.id}</th>
            <td>${metadata.kind}</td>
            <td>${metadata.version}</td>
            <td class="state-${state}">${state}</td>
            <td>${generation}</td>
            <td>${supervisor?.restarts ?? 0}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function visitsOf(count: number | undefined): string {
  if (count === undefined) return "";
  return count === 1 ? " · read once" : ` · read ${count} times`;
}
