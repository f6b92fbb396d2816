import { expect, test } from "vitest";
import { run } from "../command.ts";

test.each(["check", "test"])(
  "tools/%s.ts tells its usage, and refuses what it does not know with it",
  async (tool) => {
    const usage = new RegExp(`^node tools/${tool}\\.ts \\[`, "m");
    const help = await run("node", [`tools/${tool}.ts`, "--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toMatch(usage);
    for (const option of ["--nope", "--skip=nope", "--runtime=nope"]) {
      const refused = await run("node", [`tools/${tool}.ts`, option]);
      expect(refused).toMatchObject({ code: 2, stdout: "" });
      expect(refused.stderr).toMatch(usage);
      expect(refused.stderr).not.toContain("    at ");
    }
  },
);
