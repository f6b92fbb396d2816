import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { beforeAll, describe, expect, test } from "vitest";
import { get } from "../src/once/client.ts";
import { ensureBuilt } from "../src/plugins.ts";
import { openPress } from "../src/press.ts";
import { scene } from "./support.ts";

beforeAll(ensureBuilt, 120_000);

describe("a page", () => {
  test("goes through plugins of every kind, which the answer names", async () => {
    await using s = await scene();
    await s.write("page.md", '# Title\n\nHe said "yes".\n\n```ts\nconst a = "b";\n```\n');
    const { status, headers, body } = await get(s.url, "/pages/page.md");
    expect(status).toBe(200);
    expect(body).toContain('<h1 id="title">Title</h1>');
    expect(body).toContain(
      '<span class="hl-keyword">const</span> a = <span class="hl-string">&quot;b&quot;</span>',
    );
    expect(body).toContain("He said “yes”.");
    expect(body).toContain('<p class="reading">8 words</p>');
    expect(headers.get("server-timing")).toMatch(
      /^markdown;dur=[\d.]+, highlight;dur=[\d.]+, typography;dur=[\d.]+, reading;dur=[\d.]+$/,
    );
    expect(headers.has("press-skipped")).toBe(false);
  });

  test("is read at each request: what was added or edited is there at the next one", async () => {
    await using s = await scene();
    expect((await get(s.url, "/pages/new.md")).status).toBe(404);
    await s.write("new.md", "# One\n");
    expect((await get(s.url, "/pages/new.md")).body).toContain("One</h1>");
    expect((await get(s.url, "/")).body).toContain('<a href="/pages/new.md">One</a>');
    await s.write("new.md", "# Two\n");
    expect((await get(s.url, "/pages/new.md")).body).toContain("Two</h1>");
  });

  test("shows raw HTML as text and links to no script", async () => {
    await using s = await scene();
    await s.write(
      "evil.md",
      '# <img src=x onerror=alert(1)>\n\n<script>alert(2)</script>\n\n[a](javascript:alert(3)) `<b>`\n\n```ts\n"</code></pre><script>"\n```\n',
    );
    const page = await get(s.url, "/pages/evil.md");
    expect(page.body).not.toContain("<script");
    expect(page.body).not.toContain("<img");
    expect(page.body).not.toContain('href="javascript');
    expect(page.body).toContain("&lt;script&gt;alert(2)&lt;/script&gt;");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    // The title stands in the list as well.
    expect((await get(s.url, "/")).body).not.toContain("<img");
  });

  test("that is no text for a plugin goes out without it and says so", async () => {
    await using s = await scene();
    await s.write("large.md", "word ".repeat(300_000));
    const { status, headers, body } = await get(s.url, "/pages/large.md");
    expect(status).toBe(200);
    // The GoNext convention takes no more than 1 MiB.
    expect(headers.get("press-skipped")).toBe("reading");
    expect(body).toContain("served without the plugin <b>reading</b>: INVALID_PAYLOAD");
  });

  test("goes out as plain text when even the Markdown plugin is gone", async () => {
    await using s = await scene();
    await s.press.kernel.stop("markdown");
    const { status, headers, body } = await get(s.url, "/pages/README.md");
    expect(status).toBe(200);
    expect(headers.get("press-skipped")).toContain("markdown");
    expect(body).toContain('<pre class="plain"># Read me');
  });
});

describe("an address", () => {
  test.each([
    ["/pages/../package.json", 403],
    ["/pages/..%2fsecret.md", 403],
    ["/pages/%2e%2e/secret.md", 403],
    ["/pages/docs/..%2f..%2f..%2fetc%2fpasswd", 403],
    ["/pages/..%5csecret.md", 403],
    ["/pages/%2fetc%2fpasswd.md", 403],
    ["/pages/README.md%00.md", 403],
    ["/pages/.git/x.md", 403],
    ["/pages/node_modules/x.md", 403],
    ["/pages/package.json", 403],
    ["/pages/none.md", 404],
    ["/pages/%ff.md", 400],
    ["/elsewhere", 404],
    ["/try/nothing", 404],
  ])("%s is answered with %i", async (path, status) => {
    await using s = await scene();
    expect((await get(s.url, path)).status).toBe(status);
  });

  test("may lead to a file through a link only if it lies in the folder", async () => {
    await using s = await scene();
    const outside = await mkdtemp(join(tmpdir(), "press-outside-"));
    try {
      await writeFile(join(outside, "secret.md"), "# Secret\n");
      await symlink(join(outside, "secret.md"), join(s.folder, "link.md"));
      await symlink(outside, join(s.folder, "way"));
      await symlink(join(s.folder, "README.md"), join(s.folder, "inside.md"));
      expect((await get(s.url, "/pages/link.md")).status).toBe(403);
      expect((await get(s.url, "/pages/way/secret.md")).status).toBe(403);
      expect((await get(s.url, "/pages/inside.md")).status).toBe(200);
      expect((await get(s.url, "/")).body).not.toContain("secret");
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  test("is a file of some size: pipes and folders are no pages, and a file of gigabytes is refused unread", async () => {
    await using s = await scene();
    await s.write("page.md", "# Page\n");
    await s.write("huge.md", "");
    await truncate(join(s.folder, "huge.md"), 2 ** 33);
    await mkdir(join(s.folder, "folder.md"));
    const pipes = process.platform === "win32" ? [] : ["one.md", "two.md", "three.md", "four.md", "five.md"];
    for (const name of pipes) execFileSync("mkfifo", [join(s.folder, name)]);
    for (const name of [...pipes, "folder.md"]) expect((await get(s.url, `/pages/${name}`)).status).toBe(404);
    expect((await get(s.url, "/pages/huge.md")).status).toBe(403);
    const { body } = await get(s.url, "/");
    expect(body).toContain("/pages/page.md");
    expect(body).not.toContain("/pages/huge.md");
  });

  test("of a folder leads to its README", async () => {
    await using s = await scene();
    await mkdir(join(s.folder, "docs"));
    await s.write("docs/README.md", "# Docs\n");
    const { status, headers } = await get(s.url, "/pages/docs/");
    expect(status).toBe(302);
    expect(headers.get("location")).toBe("/pages/docs/README.md");
  });

  test("is on 127.0.0.1 and nowhere else", async () => {
    await using s = await scene();
    expect(new URL(s.url).hostname).toBe("127.0.0.1");
    const others = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    const other = others.find(({ family, internal }) => family === "IPv4" && !internal);
    if (other === undefined) return;
    await expect(get(`http://${other.address}:${new URL(s.url).port}`, "/")).rejects.toThrow();
  });

  test("is answered for GET and HEAD alone, and trials are not started by other sites", async () => {
    await using s = await scene();
    const post = await fetch(`${s.url}/`, { method: "POST" });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    await post.body?.cancel();
    const head = await fetch(`${s.url}/pages/README.md`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const { App } = await import("../src/app.ts");
    const { Library } = await import("../src/library.ts");
    const { Trials } = await import("../src/trials/trials.ts");
    const { Traffic } = await import("../src/traffic.ts");
    const traffic = new Traffic();
    using trials = new Trials(s.press.kernel, traffic, s.press.mark);
    const app = new App(s.press.kernel, new Library([]), trials, traffic);
    for (const path of ["/try/kill", "/try/endless"]) {
      const request = { method: "GET", path, site: "cross-site", wantsJson: true };
      expect((await app.answer(request)).status).toBe(403);
    }
    expect(app.counts.restarts).toBe(0);
  });
});

describe("Press about itself", () => {
  test("/metrics is OpenMetrics text with the kernel's, a plugin's and its own series", async () => {
    await using s = await scene();
    await get(s.url, "/pages/README.md");
    const { headers, body } = await get(s.url, "/metrics");
    expect(headers.get("content-type")).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
    expect(body).toContain("press_requests_total 1\n");
    expect(body).toContain('press_visits_total{module="visits"} 1\n');
    expect(body).toContain('keelson_modules{state="running"} 10\n');
    expect(body.endsWith("# EOF\n")).toBe(true);
  });

  test("/status shows the modules as JSON", async () => {
    await using s = await scene();
    const { modules } = JSON.parse((await get(s.url, "/status")).body) as {
      modules: readonly { id: string; kind: string; state: string; generation: number }[];
    };
    expect(modules.map(({ id, kind, state }) => `${id} ${kind} ${state}`).sort()).toEqual([
      "deep wasm running",
      "endless wasm running",
      "highlight process running",
      "hungry wasm running",
      "markdown native running",
      "reading wasm running",
      "sharing wasm running",
      "stubborn wasm running",
      "typography wasm running",
      "visits native running",
    ]);
  });

  test("lists the repository's own Markdown files by default", async () => {
    await using press = await openPress();
    const { body } = await get(press.url, "/");
    for (const path of ["README.md", "CONTRIBUTING.md", "packages/core/README.md", "docs/hooks.md"]) {
      expect(body).toContain(`href="/pages/${path}"`);
    }
    expect(body).not.toContain("node_modules");
    expect((await get(press.url, "/pages/README.md")).status).toBe(200);
  });

  test("cannot open on a port that is taken, and leaves nothing behind", async () => {
    await using s = await scene();
    await expect(openPress({ port: Number(new URL(s.url).port) })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });
});
