import { expect, test } from "vitest";
import { createKernel, nativeModule, type Kernel } from "keelson";
import { escapeHtml, markup } from "../src/pages/html.ts";
import { ensureBuilt, reading } from "../src/plugins.ts";
import markdown from "../src/plugins/markdown/markdown.ts";
import visits from "../src/plugins/visits/visits.ts";

async function withKernel(run: (kernel: Kernel) => Promise<void>): Promise<void> {
  await using kernel = await createKernel({ platform: { log: { level: "silent" } } });
  await run(kernel);
}

test("markdown gives headings ids that are unique in a page", () =>
  withKernel(async (kernel) => {
    await kernel.register(nativeModule({ id: "markdown", create: markdown }));
    await kernel.start();
    const html = await kernel.invoke("markdown", "render", "# A `b`!\n\n## A b\n\n## Ünder – way\n");
    expect([...String(html).matchAll(/id="([^"]*)"/g)].map(([, id]) => id)).toEqual([
      "a-b",
      "a-b-1",
      "ünder--way",
    ]);
    await expect(kernel.invoke("markdown", "render", 1)).rejects.toMatchObject({ code: "CALL_FAILED" });
  }));

test("markdown leaves comments out and shows all other HTML as text", () =>
  withKernel(async (kernel) => {
    await kernel.register(nativeModule({ id: "markdown", create: markdown }));
    await kernel.start();
    const render = async (text: string): Promise<string> =>
      String(await kernel.invoke("markdown", "render", text)).replaceAll("\n", "");
    expect(await render("a\n\n<!-- one\n\ntwo -->\n\nb")).toBe("<p>a</p><p>b</p>");
    expect(await render("<!-- one -->\nb")).toBe("<p>b</p>");
    expect(await render("<!-- one --> <b>")).toBe("<p>&lt;!-- one --&gt; &lt;b&gt;</p>");
    expect(await render("<!-- never ends")).toBe("<p>&lt;!-- never ends</p>");
    expect(await render("<script>x</script>")).toBe("<p>&lt;script&gt;x&lt;/script&gt;</p>");
  }));

test("visits counts what the action page.served tells", () =>
  withKernel(async (kernel) => {
    await kernel.register(nativeModule({ id: "visits", create: visits }));
    await kernel.start();
    for (const path of ["a", "b", "a"])
      await kernel.invoke("visits", "served", { kind: "action", args: [path] });
    expect(await kernel.invoke("visits", "counts")).toEqual({ a: 2, b: 1 });
  }));

test(
  "reading counts words outside of tags, whatever is escaped, and leaves the page as it was",
  () =>
    withKernel(async (kernel) => {
      await ensureBuilt();
      await kernel.register(reading("1.0.0"));
      await kernel.start();
      const count = async (value: string): Promise<string> => {
        const html = await kernel.invoke("reading", "page.html", { kind: "filter", value, args: [] });
        const [, words = "", rest] = /^<p class="reading">(\d+) words<\/p>([^]*)$/.exec(String(html)) ?? [];
        expect(rest).toBe(value);
        return words;
      };
      expect(await count("")).toBe("0");
      expect(await count("<p>one two\nthree\tfour</p>\n<p>f<i>iv</i>e, <b>six</b></p>")).toBe("6");
      expect(await count('say "x\\y" – ünïcödé 😀 \u2028 end')).toBe("7");
      expect(await count("w ".repeat(100_000))).toBe("100000");
      const wrong = kernel.invoke("reading", "page.html", { kind: "filter", value: 1, args: [] });
      await expect(wrong).rejects.toMatchObject({ code: "GUEST_ERROR" });
      // What went wrong has not used anything up.
      for (let n = 0; n < 200; n++) await count("x".repeat(50_000));
    }),
  120_000,
);

test("a template escapes its parts, and lists and nested templates keep theirs", () => {
  expect(escapeHtml(`<a href="x" title='y'>&</a>`)).toBe(
    "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;&lt;/a&gt;",
  );
  expect(markup`<i>${"<b>"}${[markup`<u>${1}</u>`, "&", false, undefined]}</i>`.text).toBe(
    "<i>&lt;b&gt;<u>1</u>&amp;</i>",
  );
});
