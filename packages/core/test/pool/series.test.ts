import { createPool } from "@keelson/core";
import { createFakeClock } from "@keelson/core/testing";
import { expect, test } from "vitest";
import { createMetrics } from "../../src/metrics/index.ts";
import { createSource, watch } from "./subjects.ts";

function read(text: string): Record<string, number> {
  const lines = text.split("\n").filter((line) => line.startsWith("keelson_pool_"));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" ") + 1)),
    ]),
  );
}

test("a pool shows its series, labelled, and takes them away when it closes", async () => {
  const clock = createFakeClock();
  const metrics = createMetrics();
  const labels = { module: "markdown" };
  const pool = createPool(createSource(), { min: 1, max: 2, maxUses: 3 }, { clock, metrics, labels });

  pool.tryCheckout()?.release();
  const first = await pool.checkout();
  const second = await pool.checkout();
  const third = watch(pool.checkout());
  const late = watch(pool.checkout({ timeoutMs: 10 }));
  await clock.advance(400);
  expect(late.error).toBeDefined();
  second.release();
  await third.done;
  first.discard();

  const scrape = read(metrics.text());
  expect(scrape).toMatchObject({
    'keelson_pool_checkout_total{module="markdown"}': 4,
    'keelson_pool_checkout_errors_total{module="markdown"}': 1,
    'keelson_pool_checkout_wait_seconds_count{module="markdown"}': 4,
    'keelson_pool_checkout_wait_seconds_sum{module="markdown"}': 0.4,
    'keelson_pool_checkout_wait_seconds_bucket{module="markdown",le="0.0001"}': 3,
    'keelson_pool_checkout_wait_seconds_bucket{module="markdown",le="0.5"}': 4,
    'keelson_pool_recycle_total{module="markdown",reason="trap"}': 1,
    'keelson_pool_recycle_total{module="markdown",reason="max_uses"}': 0,
    'keelson_pool_recycle_total{module="markdown",reason="idle"}': 0,
    'keelson_pool_recycle_total{module="markdown",reason="memory"}': 0,
    'keelson_pool_recycle_total{module="markdown",reason="close"}': 0,
    'keelson_pool_size{module="markdown"}': 1,
    'keelson_pool_in_use{module="markdown"}': 1,
  });
  // Read again, nothing is counted twice.
  expect(read(metrics.text())).toEqual(scrape);

  third.lease?.release();
  await pool.close();
  expect(read(metrics.text())).toEqual({});
});

test("the pools of two modules stand side by side, each complete at the first scrape", async () => {
  const clock = createFakeClock();
  const metrics = createMetrics();
  const pools = ["one", "two"].map((module) =>
    createPool(createSource(), { min: 1 }, { clock, metrics, labels: { module } }),
  );
  pools[0]?.tryCheckout()?.release();
  for (let times = 0; times < 3; times++) pools[1]?.tryCheckout()?.release();
  expect(read(metrics.text())).toMatchObject({
    'keelson_pool_checkout_wait_seconds_count{module="one"}': 1,
    'keelson_pool_checkout_wait_seconds_count{module="two"}': 3,
  });
  await Promise.all(pools.map((pool) => pool.close()));
});
