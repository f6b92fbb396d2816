import { expect, test } from "vitest";
import { showControls } from "../../src/plain.ts";

test("what steers a terminal or is not seen is shown, and all else stays as it is", () => {
  expect(showControls("a\u001b[31mb\n\tc\u202ed\u200be\ufeff\u0000")).toBe(
    "a\\u001b[31mb\\n\\tc\\u202ed\\u200be\\ufeff\\u0000",
  );
  const plain = "ünïcödé 😀 مرحبا می\u200cخواهم 👩\u200d💻";
  expect(showControls(plain)).toBe(plain);
});
