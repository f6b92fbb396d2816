import { markup } from "./html.ts";
import { breadcrumb, layout, looseButtons } from "./views.ts";

/** The page on which runaways are let loose beside a heartbeat. Without a script its buttons lead to the accounts. */
export function runawayPage(runtime: string): string {
  return layout(
    "Runaways · Press",
    markup`${breadcrumb("runaway")}
      <header class="masthead">
        <h1>Runaways</h1>
        <p>
          Plugins that never end by themselves, in the very thread that serves this page (${runtime}). Each is stopped, and
          the others go on.
        </p>
      </header>
      <section class="heart" aria-label="Heartbeat">
        <div class="pulse" id="pulse" aria-hidden="true"></div>
        <dl>
          <div><dt>beats</dt><dd id="beats">0</dd></div>
          <div><dt>last</dt><dd id="last">–</dd></div>
          <div><dt>largest gap</dt><dd id="gap">–</dd></div>
        </dl>
        <canvas id="trace" height="72" aria-hidden="true"></canvas>
        <p>Each beat is a request to Press, sent once the one before was answered. A bar shows how long it took, in red while a runaway is running.</p>
        <noscript><p>The heartbeat needs JavaScript; everything below works without it.</p></noscript>
      </section>
      <section>
        <h2>Start one</h2>
        ${looseButtons()}
      </section>
      <section id="accounts" aria-live="polite"></section>`,
    markup`<script type="module" src="/runaway.js"></script>`,
  );
}
