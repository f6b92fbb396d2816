import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { beforeAll, describe, expect, test } from "vitest";
import { nativeModule } from "keelson";
import { get, post } from "../src/once/client.ts";
import { MAX_BODY_BYTES } from "../src/body.ts";
import { ensureBuilt } from "../src/plugins.ts";
import { openPress } from "../src/press.ts";
import { scene, type Scene } from "./support.ts";

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
    [`/pages/${"long".repeat(100)}.md`, 404],
    [`/pages/${"deep/".repeat(1000)}none.md`, 404],
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

  test("is on 127.0.0.1 and nowhere else", async (context) => {
    await using s = await scene();
    expect(new URL(s.url).hostname).toBe("127.0.0.1");
    const others = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    const other = others.find(({ family, internal }) => family === "IPv4" && !internal);
    if (other === undefined) return context.skip("this machine has no other address");
    await expect(get(`http://${other.address}:${new URL(s.url).port}`, "/")).rejects.toThrow();
  });

  test("is answered for GET and HEAD alone where nothing changes, and HEAD counts as no visit", async () => {
    await using s = await scene();
    const refused = await post(s.url, "/");
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    const head = await fetch(`${s.url}/pages/README.md`, { method: "HEAD" });
    const length = Number(head.headers.get("content-length"));
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(length).toBeGreaterThan(500);
    expect((await get(s.url, "/metrics")).body).not.toContain('press_visits_total{module="visits"} 1');
    const none = await fetch(`${s.url}/none`, { method: "HEAD" });
    expect([none.status, await none.text()]).toEqual([404, ""]);
  });

  test("of the pages leads to their list", async () => {
    await using s = await scene();
    for (const path of ["/pages", "/pages/"]) {
      const { status, headers } = await get(s.url, path);
      expect([status, headers.get("location")]).toEqual([302, "/"]);
    }
  });
});

describe("a trial", () => {
  const untouched = (s: Scene): void => {
    expect(s.press.counts.restarts).toBe(0);
    expect(s.press.kernel.list().map(({ generation }) => generation)).toEqual(
      s.press.kernel.list().map(() => 1),
    );
  };

  test("is started by POST alone: a look at its address starts nothing and has its button", async () => {
    await using s = await scene();
    for (const name of ["kill", "replace-good", "endless"]) {
      const { status, headers, body } = await get(s.url, `/try/${name}`);
      expect([status, headers.get("allow")]).toEqual([405, "POST"]);
      expect(body).toContain(`<form class="trial" method="post" action="/try/${name}"><button>`);
      expect(headers.get("content-security-policy")).toContain("form-action 'self'");
      const head = await fetch(`${s.url}/try/${name}`, { method: "HEAD" });
      expect([head.status, await head.text()]).toEqual([405, ""]);
    }
    expect((await post(s.url, "/try/nothing")).status).toBe(404);
    untouched(s);
  });

  test("is not started by other sites, whatever name they have", async () => {
    await using s = await scene();
    const { host } = new URL(s.url);
    const foreign: readonly Readonly<Record<string, string>>[] = [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site", origin: "http://127.0.0.1:1" },
      { origin: "http://elsewhere.example" },
      { origin: "null" },
      { origin: `https://${host}` },
      { host: "elsewhere.example", origin: "http://elsewhere.example", "sec-fetch-site": "same-origin" },
    ];
    for (const headers of foreign) {
      expect((await post(s.url, "/try/kill", headers)).status, JSON.stringify(headers)).toBe(403);
    }
    untouched(s);
    const local = `localhost:${new URL(s.url).port}`;
    const own: readonly Readonly<Record<string, string>>[] = [
      { origin: s.url, "sec-fetch-site": "same-origin" },
      // An address that somebody typed, and a program that is no browser.
      { "sec-fetch-site": "none" },
      { host: local, origin: `http://${local}` },
    ];
    for (const headers of own) expect((await post(s.url, "/try/trap", headers)).status).toBe(200);
  });

  test("has a button on the list of pages, and no page that plugins make may send a form", async () => {
    await using s = await scene();
    const index = await get(s.url, "/");
    for (const name of ["trap", "kill", "replace-broken", "replace-good"])
      expect(index.body).toContain(`method="post" action="/try/${name}"`);
    expect(index.headers.get("content-security-policy")).toContain("form-action 'self'");
    const page = await get(s.url, "/pages/README.md");
    expect(page.headers.get("content-security-policy")).toContain("form-action 'none'");
  });
});

describe("a client", () => {
  const withBody = async (url: string, body: string | ReadableStream): Promise<number> => {
    const response = await fetch(url, { method: "POST", body, duplex: "half" } as RequestInit);
    await response.text();
    return response.status;
  };

  test("may send a small body, which nobody reads, and is told when it is too large", async () => {
    await using s = await scene();
    expect(await withBody(`${s.url}/try/trap`, "x=1")).toBe(200);
    expect(await withBody(`${s.url}/try/kill`, "x".repeat(2 * 2 ** 20))).toBe(413);
    const chunks = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let n = 0; n < 100; n++) controller.enqueue(new Uint8Array(1_000));
        controller.close();
      },
    });
    expect(await withBody(`${s.url}/try/kill`, chunks)).toBe(413);
    expect(s.press.counts.restarts).toBe(0);
  });

  test("may send as much as is let pass, and not a byte more, announced or not", async () => {
    await using s = await scene();
    const chunked = (bytes: number): ReadableStream =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new Uint8Array(bytes));
          controller.close();
        },
      });
    for (const [bytes, status] of [
      [0, 200],
      [MAX_BODY_BYTES, 200],
      [MAX_BODY_BYTES + 1, 413],
    ] as const) {
      expect([bytes, await withBody(`${s.url}/try/trap`, "x".repeat(bytes))]).toEqual([bytes, status]);
      if (bytes > 0)
        expect([bytes, await withBody(`${s.url}/try/trap`, chunked(bytes))]).toEqual([bytes, status]);
    }
  });

  test("that never ends its body is not waited for, and one that sends gigabytes is cut off", async () => {
    await using s = await scene();
    const { status } = await post(s.url, "/try/kill", { "content-length": "10" });
    expect(status).toBe(408);
    const large = await post(s.url, "/try/kill", { "content-length": "1000000" });
    expect(large.status).toBe(413);
    const sent = await new Promise<number>((resolve) => {
      const socket = connect(Number(new URL(s.url).port), "127.0.0.1");
      const chunk = Buffer.alloc(2 ** 20);
      let bytes = 0;
      socket.on("error", () => {});
      socket.on("close", () => resolve(bytes));
      socket.resume();
      const push = (): void => {
        if (socket.destroyed) return;
        bytes += chunk.length;
        socket.write(chunk, (error) => void (error ?? push()));
      };
      socket.write(
        `POST /try/kill HTTP/1.1\r\nhost: ${new URL(s.url).host}\r\ncontent-length: ${2 ** 40}\r\n\r\n`,
      );
      push();
    });
    expect(sent).toBeLessThan(2 ** 30);
    expect((await get(s.url, "/pages/README.md")).status).toBe(200);
    expect(s.press.counts.restarts).toBe(0);
  });

  test("that goes away before it is answered does not keep Press from ending", async () => {
    await using s = await scene();
    const { host, port } = new URL(s.url);
    const socket = connect(Number(port), "127.0.0.1");
    await new Promise<void>((resolve) => {
      socket.write(`POST /try/kill HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 10\r\n\r\n`, () => resolve());
    });
    // Press has heard of the first request by the time it answers a later one.
    await get(s.url, "/heartbeat");
    socket.destroy();
    await new Promise((resolve) => socket.once("close", resolve));
    const began = performance.now();
    await s.press.close();
    expect(performance.now() - began).toBeLessThan(4_000);
  });

  test("is answered beside hundreds of connections on which nothing is asked, or never to the end", async () => {
    await using s = await scene();
    const { host, port } = new URL(s.url);
    const idle = await Promise.all(
      Array.from(
        { length: 300 },
        (_, index) =>
          new Promise<Socket>((resolve, reject) => {
            const socket = connect(Number(port), "127.0.0.1", () => {
              if (index % 2 === 0) socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\n`);
              resolve(socket);
            });
            // Once it is open, how it ends does not matter.
            socket.on("error", reject);
          }),
      ),
    );
    const pages = await Promise.all(Array.from({ length: 20 }, () => get(s.url, "/pages/README.md")));
    expect(pages.map(({ status }) => status)).toEqual(pages.map(() => 200));
    // Neither do they keep Press from ending. Those that never asked for anything stay open on Bun, until the process ends.
    await s.press.close();
    for (const socket of idle) socket.destroy();
  });
});

describe("what a plugin says", () => {
  test("stands on the page as text: the message of a failure, and an answer that is no page", async () => {
    await using s = await scene();
    for (const [typeset, code] of [
      [() => Promise.reject(new Error('<script>alert("1")</script>')), "CALL_FAILED"],
      [() => ({ html: "<script>" }), "CALL_FAILED"],
    ] as const) {
      await s.press.kernel.reload(
        "typography",
        nativeModule({ id: "typography", version: "9.0.0", methods: { typeset } }),
      );
      const { status, headers, body } = await get(s.url, "/pages/README.md");
      expect(status).toBe(200);
      expect(headers.get("press-skipped")).toBe("typography");
      expect(body).toContain(`without the plugin <b>typography</b>: ${code}`);
      expect(body).not.toContain("<script");
    }
  });
});

describe("what goes wrong", () => {
  test("inside Press is a page with status 500 that tells no more than that, a line of the log, and is counted", async () => {
    await using s = await scene();
    await s.press.kernel.unload("reading");
    const { status, headers, body } = await post(s.url, "/try/replace-good");
    expect(status).toBe(500);
    expect(body).toContain("Something went wrong");
    expect(body).not.toMatch(/Error|reading/);
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(s.logged.join("\n")).toMatch(/error A request failed path=\/try\/replace-good error=.*reading/);
    expect(s.press.counts).toMatchObject({ served: 1, failed: 1 });
    expect((await get(s.url, "/metrics")).body).toContain("press_failed_requests_total 1\n");
  });

  test("in a trial is told in red, with status 500", async () => {
    await using s = await scene();
    const fine = await post(s.url, "/try/trap");
    expect([fine.status, fine.body.includes('class="account kept"')]).toEqual([200, true]);
    await s.press.kernel.stop("typography");
    const { status, body } = await post(s.url, "/try/trap");
    expect(status).toBe(500);
    expect(body).toContain('class="account broken"');
    expect(body).toMatch(/time to recover<\/dt><dd>it did not</);
    const told = await post(s.url, "/try/trap", { accept: "application/json" });
    expect(JSON.parse(told.body)).toMatchObject({ kept: false, alarming: false });
  });

  test("with a module stands in /status and on the list", async () => {
    await using s = await scene();
    const { kernel } = s.press;
    const start = (): never => {
      throw new Error("not today");
    };
    await kernel.register(nativeModule({ id: "sick", start }));
    await expect(kernel.start("sick")).rejects.toMatchObject({ code: "MODULE_FAILED" });
    const { modules } = JSON.parse((await get(s.url, "/status")).body) as {
      modules: readonly { readonly id: string; readonly error?: unknown }[];
    };
    expect(modules.filter(({ error }) => error !== undefined)).toMatchObject([
      { id: "sick", error: { code: "MODULE_FAILED", message: expect.stringContaining("not today") } },
    ]);
    expect((await get(s.url, "/")).body).toContain('<td class="state-failed">failed</td>');
  });
});

describe("Press about itself", () => {
  test("the list tells how often a page was read, and does without when the plugin that counts is gone", async () => {
    await using s = await scene();
    expect((await get(s.url, "/")).body).toContain("<small>README.md</small>");
    await get(s.url, "/pages/README.md");
    expect((await get(s.url, "/")).body).toContain("<small>README.md · read once</small>");
    await get(s.url, "/pages/README.md");
    expect((await get(s.url, "/")).body).toContain("<small>README.md · read 2 times</small>");
    await s.press.kernel.stop("visits");
    const { status, body } = await get(s.url, "/");
    expect([status, body.includes("<small>README.md</small>")]).toEqual([200, true]);
  });

  test("its pages are styled by a sheet of its own", async () => {
    await using s = await scene();
    expect((await get(s.url, "/")).body).toContain('<link rel="stylesheet" href="/style.css" />');
    const { status, headers, body } = await get(s.url, "/style.css");
    expect([status, headers.get("content-type")]).toEqual([200, "text/css; charset=utf-8"]);
    expect(body).toContain(".account");
  });

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
