/**
 * What checkpoints cost: the recipe's training without them and with them, in turn, in one process. One every 100 steps would
 * be lost in the noise of a machine, so they come more often, and their cost is told for every 100 steps; the clock counts
 * what training waits for, the processors' time also the writing that goes on beside it.
 * Usage, after a build: node bench/checkpoints.mjs [--pairs 5] [--steps 100] [--every 5] [--threads 2]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as lenet from "../dist/index.js";
import { build, networks } from "./networks.mjs";

const { callbacks, datasets, toCategorical } = lenet;

const { values: options } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    steps: { type: "string", default: "100" },
    every: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
  },
});
const BATCH = 128;
const [pairs, steps, every, threads] = ["pairs", "steps", "every", "threads"].map((name) => Number(options[name]));
const count = steps * BATCH;
const checkpoints = Math.floor(steps / every);

const [[images, labels]] = await datasets.mnist.loadData();
const x = images.reshape([-1, 28, 28, 1]).divide(255).slice(0, count);
const y = toCategorical(labels, 10).slice(0, count);

/** Seconds by the clock and on the processors. */
async function time(model, given) {
  const [start, used] = [performance.now(), process.cpuUsage()];
  await model.fit(x, y, { batchSize: BATCH, shuffle: false, threads, ...given });
  const { user, system } = process.cpuUsage(used);
  return { clock: (performance.now() - start) / 1000, processors: (user + system) / 1e6 };
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const folder = mkdtempSync(join(tmpdir(), "lenet-checkpoints-"));
const [without, keeping] = [1, 2].map(() => build(lenet, networks.same, { seed: 1 }));
const costs = { clock: [], processors: [] };
try {
  for (let pair = 0; pair <= pairs; pair++) {
    const backup = callbacks.backupAndRestore({ directory: join(folder, String(pair)), saveFreq: every });
    const runs = [() => time(without, {}), () => time(keeping, { callbacks: [backup] })];
    // The first pair warms up; then each has the first turn as often as the other.
    const turns = pair % 2 === 0 ? [0, 1] : [1, 0];
    const times = [];
    for (const turn of turns) times[turn] = await runs[turn]();
    if (pair === 0) continue;
    for (const kind of Object.keys(costs)) {
      const [step, checkpoint] = [times[0][kind] / steps, (times[1][kind] - times[0][kind]) / checkpoints];
      costs[kind].push({ step: 1000 * step, checkpoint: 1000 * checkpoint });
    }
    console.log(`pair ${pair}: ${times.map(({ clock }) => `${clock.toFixed(2)} s`).join(", with checkpoints ")}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const [kind, values] of Object.entries(costs)) {
  const [step, checkpoint] = ["step", "checkpoint"].map((name) => median(values.map((value) => value[name])));
  const name = kind === "clock" ? "by the clock" : "in the processors' time";
  const share = `${(checkpoint / step).toFixed(2)} % of training with one every 100 steps`;
  console.log(`${name}: a step ${step.toFixed(1)} ms, a checkpoint ${checkpoint.toFixed(1)} ms: ${share}`);
}
