/**
 * Long use: training steps, predictions, and models that are made and dropped leave nothing behind. Ten thousand steps and
 * predictions and a thousand models: `SOAK=1000`, which is the number of models.
 */
import { existsSync, readdirSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { compiledNet, images } from "./helpers/models.ts";

const MODELS = Number(process.env.SOAK ?? 40);
const STEPS = 10 * MODELS;
/** Part of the work after which what comes at first and once has come. */
const WARM = 0.5;
const MEGABYTES = 50;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

interface Use {
  readonly megabytes: number;
  readonly threads: number;
  readonly handles: number;
}

const useOf = (): Use => ({
  megabytes: process.memoryUsage.rss() / 2 ** 20,
  threads: readdirSync("/proc/self/task").length,
  handles: readdirSync("/proc/self/fd").length,
});

/** What is held when garbage is collected and threads have had the time to end. */
async function settled(): Promise<Use> {
  let use = useOf();
  for (let quiet = 0; quiet < 3; ) {
    collect();
    await pause(100);
    const now = useOf();
    quiet = now.threads < use.threads || now.megabytes < use.megabytes - 1 ? 0 : quiet + 1;
    use = now;
  }
  return use;
}

const { x, y } = images(16);

/** What does `count` times the same, and how. */
const works: readonly [name: string, count: number, start: () => (index: number) => Promise<unknown>][] = [
  [
    "training steps",
    STEPS,
    () => {
      const model = compiledNet();
      return () => model.trainOnBatch(x, y, { threads: 2 });
    },
  ],
  [
    "predictions",
    STEPS,
    () => {
      const model = compiledNet();
      return (index) => model.predict(x.slice(index % 16, (index % 16) + 1), { threads: 2 });
    },
  ],
  ["models, made, trained and dropped", MODELS, () => () => compiledNet().fit(x, y, { threads: 2 })],
];

test.runIf(existsSync("/proc/self/task")).each(works)(
  "%s, %i of them",
  { timeout: 60_000 + 2000 * MODELS },
  async (name, count, start) => {
    const work = start();
    let before: Use | undefined;
    let most = 0;
    for (let index = 0; index < count; index++) {
      if (index === Math.floor(count * WARM)) before = await settled();
      await work(index);
      if (index % 10 === 0) most = Math.max(most, useOf().threads);
    }
    const after = await settled();
    const grown = after.megabytes - before!.megabytes;
    console.log(
      `${count} ${name}: grown by ${grown.toFixed(1)} MB, ${after.threads - before!.threads} threads, ` +
        `${after.handles - before!.handles} handles; at most ${most} threads at a time`,
    );
    expect(grown).toBeLessThan(MEGABYTES);
    expect(after.threads).toBeLessThanOrEqual(before!.threads);
    expect(after.handles).toBeLessThanOrEqual(before!.handles);
    // Dropped models wait for the garbage collector; they must not pile up.
    expect(most).toBeLessThan(before!.threads + 30);
  },
);
