/**
 * What checkpoints every 100 steps cost: the recipe's training without them and with them, in turn, in one process.
 * Usage, after a build: node bench/checkpoints.mjs [--pairs 5] [--steps 450]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { callbacks, datasets, layers, Sequential, toCategorical } from "../dist/index.js";

const { values: options } = parseArgs({
  options: { pairs: { type: "string", default: "5" }, steps: { type: "string", default: "450" } },
});
const BATCH = 128;
const count = Number(options.steps) * BATCH;

const [[images, labels]] = await datasets.mnist.loadData();
const x = images.reshape([-1, 28, 28, 1]).divide(255).slice(0, count);
const y = toCategorical(labels, 10).slice(0, count);

function makeModel() {
  const model = new Sequential(
    [
      layers.input({ shape: [28, 28, 1] }),
      layers.conv2d({ filters: 20, kernelSize: 5, padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 50, kernelSize: 5, padding: "same", activation: "relu" }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.flatten(),
      layers.dense({ units: 500, activation: "relu" }),
      layers.dense({ units: 10, activation: "softmax" }),
    ],
    { seed: 1 },
  );
  model.compile({ loss: "categorical_crossentropy", optimizer: "adam", metrics: ["accuracy"] });
  return model;
}

/** Seconds by the clock and on the processors. */
async function time(model, given) {
  const [start, used] = [performance.now(), process.cpuUsage()];
  await model.fit(x, y, { batchSize: BATCH, shuffle: false, threads: Math.min(2, availableParallelism()), ...given });
  const { user, system } = process.cpuUsage(used);
  return { clock: (performance.now() - start) / 1000, processors: (user + system) / 1e6 };
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const folder = mkdtempSync(join(tmpdir(), "lenet-checkpoints-"));
const [without, keeping] = [makeModel(), makeModel()];
const costs = { clock: [], processors: [] };
try {
  for (let pair = 0; pair <= Number(options.pairs); pair++) {
    const backup = callbacks.backupAndRestore({ directory: join(folder, String(pair)), saveFreq: 100 });
    const runs = [() => time(without, {}), () => time(keeping, { callbacks: [backup] })];
    // The first pair warms up; then each has the first turn as often as the other.
    const turns = pair % 2 === 0 ? [0, 1] : [1, 0];
    const times = [];
    for (const turn of turns) times[turn] = await runs[turn]();
    if (pair === 0) continue;
    for (const kind of Object.keys(costs)) costs[kind].push(100 * (times[1][kind] / times[0][kind] - 1));
    const seconds = times.map(({ clock }) => `${clock.toFixed(2)} s`).join(", with checkpoints ");
    console.log(`pair ${pair}: ${seconds}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const [kind, values] of Object.entries(costs)) {
  const range = [Math.min(...values), Math.max(...values)].map((value) => `${value.toFixed(1)} %`).join(" to ");
  console.log(
    `cost by the ${kind === "clock" ? "clock" : "processors' time"}: median ${median(values).toFixed(1)} %, ${range}`,
  );
}
